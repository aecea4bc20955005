"""MQTT addresses of the command line, and clients for them. Addresses must not contain credentials,
which would be visible in process lists and logs; these come from environment variables."""

from __future__ import annotations

import os
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.reasoncodes import ReasonCode


LOCAL = ("localhost", "127.0.0.1", "::1")  # hosts to which a password may be sent unencrypted

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):/", re.IGNORECASE)

_CREDENTIALS = re.compile(r"[^/]*:[^/]*@")


def scheme(target: str) -> str:
    """The scheme of an address in lower case; empty for anything else, such as a file. The mistyped
    `https:/host` is also an address."""
    found = _SCHEME.match(target)
    return found[1].lower() if found else ""


def refuse_credentials(target: str, variables: str) -> None:
    """Raises UsageError: the address contains credentials. The message names the environment
    variables to use and does not repeat the address."""
    if "@" in target and (scheme(target) or _CREDENTIALS.match(target)):
        what = "the address contains credentials, which process lists and logs would show"
        raise UsageError(what, f"set {variables} instead; write a literal @ as %40")


# Prefixes of `…_USERNAME` and `…_PASSWORD`, for the broker of readings and another for alarms
READINGS, ALARMS = "ANOMALYNET_MQTT", "ANOMALYNET_ALARMS"

VARIABLES = f"{READINGS}_USERNAME, _PASSWORD, _CA, _CERT, _KEY"

FINAL = {  # permanent refusals of a broker: trying again does not help
    "Bad user name or password",
    "Not authorized",
    "Bad authentication method",
    "Banned",
    "Client identifier not valid",
    "Unsupported protocol version",
    "Server moved",
    "Use another server",
}


@dataclass(frozen=True, slots=True)
class Address:
    """`mqtt[s]://host[:port]/topic`; `tls`: whether the scheme is mqtts."""

    host: str
    port: int
    topic: str
    tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address(url: str) -> Address:
    """Parse an address. Raises UsageError: it is invalid, has no topic, or contains credentials."""
    refuse_credentials(url if scheme(url) else f"mqtt://{url}", VARIABLES)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in ("mqtt", "mqtts") or not host:
        raise UsageError(
            f"{url}: not an MQTT address", "write mqtt://host[:port]/topic, or mqtts:// for TLS"
        )
    tls = parts.scheme == "mqtts"
    # Not from urlsplit: `#` is a wildcard here, not a fragment.
    topic = unquote(url.partition("://")[2].partition("/")[2])
    if not topic:
        raise UsageError(f"{url}: no topic", f"for example {url.rstrip('/')}/sensors/#")
    return Address(host, port or (8883 if tls else 1883), topic, tls)


def one_topic(url: str) -> Address:
    """Parse an address to publish to. Raises UsageError: as `address`; wildcards."""
    where = address(url)
    if "#" in where.topic or "+" in where.topic:
        raise UsageError(
            f"{url}: cannot publish to a topic with wildcards",
            "write one topic: mqtt://host/topic",
        )
    return where


def make_client(
    where: Address, client_id: str, *, credentials: str = READINGS, manual_ack: bool = False
) -> Client:
    """An MQTT 5 client with credentials from the environment. It reconnects by itself after 1 to 30
    s. `credentials`: prefix of the variables, `READINGS` or `ALARMS`.

    Raises UsageError: paho-mqtt is not installed, a certificate is unreadable, or a password would
    be sent unencrypted.
    """
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError:
        raise UsageError("MQTT needs the package paho-mqtt", "pip install paho-mqtt") from None

    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id,
        protocol=MQTTProtocolVersion.MQTTv5,
        manual_ack=manual_ack,
    )
    client.reconnect_delay_set(1, 30)
    environment = os.environ
    if user := environment.get(f"{credentials}_USERNAME"):
        password = environment.get(f"{credentials}_PASSWORD")
        if password and not where.tls and where.host not in LOCAL:
            raise UsageError(
                f"MQTT broker {where}: {credentials}_PASSWORD would be sent unencrypted",
                "use mqtts://",
            )
        client.username_pw_set(user, password)
    if where.tls:
        client.tls_set_context(_tls(environment))
    return client


def final(error: BaseException | ReasonCode | None) -> str | None:
    """Why a connection is impossible; None if trying again may help."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if error is None or isinstance(error, BaseException):
        return None
    return f"the broker refuses this client: {error}" if str(error) in FINAL else None


def connection_error() -> BaseException | None:
    """The error that paho handles while it calls `on_connect_fail`, but does not pass on."""
    return sys.exc_info()[1]


def _tls(environment: Mapping[str, str]) -> ssl.SSLContext:
    authority = environment.get("ANOMALYNET_MQTT_CA")
    certificate = environment.get("ANOMALYNET_MQTT_CERT")
    key = environment.get("ANOMALYNET_MQTT_KEY")
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        what = f"ANOMALYNET_MQTT_CA: {authority}: {error.strerror or 'no certificate'}"
        raise UsageError(what, "set it to a PEM file") from None
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            what = f"{certificate}: {error.strerror or 'no certificate with its key'}"
            raise UsageError(
                f"ANOMALYNET_MQTT_CERT, _KEY: {what}", "set them to PEM files"
            ) from None
    return context

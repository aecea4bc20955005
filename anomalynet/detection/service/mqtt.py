"""MQTT addresses of the command line, and clients for them. Addresses must not contain credentials,
which would be visible in process lists and logs; these come from environment variables."""

from __future__ import annotations

import os
import re
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from anomalynet.errors import UsageError, install_command

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

# Permanent refusals of a broker: trying again does not help
FINAL = {"Bad user name or password", "Not authorized", "Bad authentication method", "Banned"}
FINAL |= {"Client identifier not valid", "Unsupported protocol version"}
FINAL |= {"Server moved", "Use another server"}


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
        how = "write mqtt://host[:port]/topic, or mqtts:// for TLS"
        raise UsageError(f"{url}: not an MQTT address", how)
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
        what = f"{url}: cannot publish to a topic with wildcards"
        raise UsageError(what, "write one topic: mqtt://host/topic")
    return where


def make_client(
    where: Address, client_id: str, *, credentials: str = READINGS, manual_ack: bool = False
) -> Client:
    """An MQTT 5 client with credentials from the environment. It reconnects by itself after 1 to 30
    s. `credentials`: prefix of the variables, `READINGS` or `ALARMS`. Raises UsageError: paho-mqtt
    is not installed, a certificate is unreadable, or a password would be sent unencrypted."""
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError:
        raise UsageError("MQTT needs the package paho-mqtt", install_command("paho-mqtt")) from None

    version, protocol = CallbackAPIVersion.VERSION2, MQTTProtocolVersion.MQTTv5
    client = Client(version, client_id, protocol=protocol, manual_ack=manual_ack)
    client.reconnect_delay_set(1, 30)
    if user := os.environ.get(f"{credentials}_USERNAME"):
        password = os.environ.get(f"{credentials}_PASSWORD")
        if password and not where.tls and where.host not in LOCAL:
            what = f"MQTT broker {where}: {credentials}_PASSWORD would be sent unencrypted"
            raise UsageError(what, "use mqtts://")
        client.username_pw_set(user, password)
    if where.tls:
        client.tls_set_context(_tls())
    return client


class Connection:
    """A client's connection, kept in the background: where it is refused or lost, it is made again.
    `report` gets what happened and why, with the broker's name; `gives_up`: whether what trying
    again cannot help is a failure, which `wait` raises; `more`: of `make_client`."""

    def __init__(
        self,
        where: Address,
        client_id: str,
        report: Callable[[Literal["refused", "failed", "lost"], str], None],
        *,
        gives_up: bool = True,
        **more: Any,
    ) -> None:
        self.where, self._report, self._gives_up = where, report, gives_up
        self.client = make_client(where, client_id, **more)
        self.client.on_connect = self._on_connect
        self.client.on_connect_fail = self._on_connect_fail
        self.client.on_disconnect = self._on_disconnect
        self.change = threading.Condition()  # of this object's state; `wait` looks at it then
        self.failure: str | None = None
        self.connected = self.closing = False

    def open(self, **how: Any) -> None:
        """Begin to connect; `how`: of paho's `connect_async`."""
        self.client.connect_async(self.where.host, self.where.port, keepalive=30, **how)
        self.client.loop_start()

    def close(self, reason: ReasonCode | None = None) -> None:
        """Disconnect."""
        self.update(closing=True)
        self.client.disconnect(reason)
        self.client.loop_stop()

    def update(self, **state: Any) -> None:
        """Set attributes, and wake who waits for them."""
        with self.change:
            for name, value in state.items():
                setattr(self, name, value)
            self.change.notify_all()

    def wait(self, until: Callable[[], object], seconds: float | None = None) -> None:
        """Wait for a condition. Raises UsageError: the broker refuses this client permanently."""
        with self.change:
            self.change.wait_for(lambda: self.failure or until(), seconds)
        if self.failure:
            raise UsageError(f"MQTT broker {self.where}: {self.failure}", f"set {VARIABLES}")

    def on_connected(self) -> None:
        """Called at each connection."""

    def on_lost(self, reason: ReasonCode) -> None:
        """Called at the end of each connection."""
        if not self.closing and self.failure is None:
            self._report("lost", f"{self.where}: {reason}; connecting again")

    def _failed(self, what: Literal["refused", "failed"], error: object) -> None:
        why = None
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"its certificate is not trusted: {error.verify_message}"
        elif str(error) in FINAL:
            why = f"the broker refuses this client: {error}"
        if why and self._gives_up:
            self.update(failure=why)
        else:
            shown = error if what == "refused" else why or error
            self._report(what, f"{self.where}: {shown}; trying again")

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: Any, more: Any) -> None:
        if reason.is_failure:
            self._failed("refused", reason)
        else:
            self.update(connected=True)
            self.on_connected()

    def _on_connect_fail(self, client: Any, userdata: Any) -> None:
        self._failed("failed", sys.exc_info()[1])  # paho handles it now, but does not pass it on

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: Any, m: Any) -> None:
        self.update(connected=False)
        self.on_lost(reason)


def _tls() -> ssl.SSLContext:
    names = (f"{READINGS}_CA", f"{READINGS}_CERT", f"{READINGS}_KEY")
    authority, certificate, key = map(os.environ.get, names)
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        what = f"ANOMALYNET_MQTT_CA: {authority}: {error.strerror or 'no certificate'}"
        raise UsageError(what, "set it to a PEM file") from None
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            why = error.strerror or "no certificate with its key"
            what = f"ANOMALYNET_MQTT_CERT, _KEY: {certificate}: {why}"
            raise UsageError(what, "set them to PEM files") from None
    return context

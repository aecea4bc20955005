"""Makes the sinks for the targets of `--alarms`: a file, stdout, an MQTT broker, a webhook."""

from __future__ import annotations

import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anomalynet.detection.service.mqtt import (
    ALARMS,
    LOCAL,
    READINGS,
    VARIABLES,
    Address,
    connection_error,
    final,
    make_client,
    one_topic,
    refuse_credentials,
    scheme,
)
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sinks import Sink
from anomalynet.detection.sinks.delivery import Delivery, RefusedError, named
from anomalynet.detection.sinks.files import JsonLines, StandardOutput
from anomalynet.errors import UsageError

TIMEOUT = 10.0  # seconds until an unacknowledged message is sent again, and timeout of a request


def mqtt(url: str, problems: ProblemLog, readings: Address | None = None) -> Delivery:
    """A sink that publishes each event with QoS 1 to a topic; repeated events have the same id.
    `readings`: address of the readings; its credentials are not sent to another broker.

    Raises UsageError: the address is invalid or has wildcards.
    """
    where = one_topic(url)
    same = readings is not None and (where.host, where.port) == (readings.host, readings.port)
    client = make_client(where, "", credentials=READINGS if same else ALARMS)

    def connected(client: Any, userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            problems.add("connection for alarms refused", f"{where}: {reason}; trying again")

    def connect_failed(client: Any, userdata: Any) -> None:
        error = connection_error()
        why = f"{where}: {final(error) or error}; trying again"
        problems.add("connection for alarms failed", why)

    client.on_connect, client.on_connect_fail = connected, connect_failed
    client.connect_async(where.host, where.port, keepalive=30, clean_start=True)
    client.loop_start()

    def send(key: str, line: str) -> None:
        if not client.is_connected():
            raise OSError("not connected")
        published = client.publish(where.topic, line, qos=1)
        try:
            published.wait_for_publish(TIMEOUT)
        except (RuntimeError, ValueError) as error:
            raise OSError(str(error)) from None
        if not published.is_published():
            raise OSError("not acknowledged")

    def end() -> None:
        client.disconnect()
        client.loop_stop()

    return Delivery(named(f"MQTT {where}", url), send, problems, end)


REFUSED = frozenset((400, 410, 413, 422))

TOKEN = "ANOMALYNET_WEBHOOK_TOKEN"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would turn POST into GET and send the token to another host."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        return None


def webhook(url: str, problems: ProblemLog) -> Delivery:
    """A sink that POSTs each event as JSON; a repeated event has the same `Idempotency-Key`. The
    token is sent as a bearer token. Raises UsageError: the URL is invalid or contains credentials,
    or the token is invalid or would be sent unencrypted; messages never show them."""
    host, scheme = _checked(url)
    token = os.environ.get(TOKEN, "").strip()
    if not (token.isascii() and token.isprintable()):
        what = f"{TOKEN}: contains characters other than printable ASCII"
        raise UsageError(what, "set it to the token only")
    if token and scheme == "http" and host not in LOCAL:
        raise UsageError(f"webhook {host}: {TOKEN} would be sent unencrypted", "use https://")
    headers = {"Content-Type": "application/json", "User-Agent": "anomalynet"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    opener = urllib.request.build_opener(_NoRedirect)

    def send(key: str, line: str) -> None:
        own = headers | {"Idempotency-Key": key}
        request = urllib.request.Request(url, line.encode(), own, method="POST")
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                answer.read(1 << 16)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in REFUSED:
                raise RefusedError(f"HTTP {error.code}") from None
            raise OSError(f"HTTP {error.code}") from None
        except http.client.HTTPException as error:
            raise OSError(type(error).__name__) from None

    return Delivery(named(f"webhook {host}", url), send, problems)


def _checked(url: str) -> tuple[str, str]:
    """Host and scheme of a valid URL."""
    refuse_credentials(url, TOKEN)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    # Checked now: urllib would refuse such a URL only at the first alarm, and show it.
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or not host or port == 0 or parts.scheme not in ("http", "https"):
        raise UsageError(
            "--alarms: invalid URL of a webhook",
            "https://host[:port]/path; other characters as %XX",
        )
    return host, parts.scheme


def sinks(
    targets: Sequence[str], problems: ProblemLog, readings: Address | None = None
) -> list[Sink]:
    """One sink per target: `-`, a file, `mqtt[s]://…` or `http[s]://…`. `readings`: the broker of
    the readings, if there is one.

    Raises UsageError: a target is invalid.
    """
    return [_sink(target, problems, readings) for target in dict.fromkeys(targets)]


def _sink(target: str, problems: ProblemLog, readings: Address | None) -> Sink:
    if target == "-":
        return StandardOutput()
    kind = scheme(target)
    if kind in ("mqtt", "mqtts"):
        from anomalynet.detection.sinks.targets import mqtt

        return mqtt(target, problems, readings)
    if kind in ("http", "https"):
        return webhook(target, problems)
    refuse_credentials(target, f"{VARIABLES}, {TOKEN}")
    if kind:
        what = "--alarms: unknown scheme, neither MQTT nor a webhook"
        raise UsageError(what, "use mqtt[s]://host/topic or https://host/path")
    return JsonLines(Path(target))

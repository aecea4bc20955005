"""Makes the sinks for the targets of `--alarms`: a file, stdout, an MQTT broker, a webhook. What is
behind a network is delivered in the background: in order, repeated until it succeeds."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anomalynet.detection.records import Event
from anomalynet.detection.service import mqtt
from anomalynet.detection.service.problem_log import ProblemLog
from anomalynet.detection.sinks import Sink, key_of
from anomalynet.detection.sinks.files import JsonLines, StandardOutput
from anomalynet.errors import UsageError

MAX_QUEUED = 10_000  # events; if more wait, the oldest is dropped
LONGEST_PAUSE = 60.0  # most seconds between attempts; the first pause is one, and each one doubles
SHUTDOWN_TIMEOUT = 5.0  # seconds that `close` waits for delivery
STALL = 15.0  # seconds without a delivery after which `drain` ends; longer than a failed attempt


def named(kind: str, target: str) -> str:
    """The name of a sink: its kind and a hash of the target, which may contain secrets."""
    return f"{kind} {hashlib.sha256(target.encode(errors='surrogateescape')).hexdigest()[:8]}"


class RefusedError(Exception):
    """The receiver rejects an event; sending it again does not help."""


class Delivery(Sink):
    """A sink with a queue and a thread; waiting events are part of the snapshot. `send` delivers
    one event, given its key and JSON, or raises OSError or RefusedError; `end` is called last, in
    the thread of `send`."""

    def __init__(
        self,
        name: str,
        send: Callable[[str, str], None],
        problems: ProblemLog,
        end: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self._send, self._problems, self._end = send, problems, end
        self._waiting: OrderedDict[str, str] = OrderedDict()
        self._delivered: list[str] = []
        self._change = threading.Condition()
        self._closing = self._stalled = False
        self._lost = self._done = 0
        self._thread = threading.Thread(target=self._run, name=f"delivery to {name}", daemon=True)

    def put(self, events: Sequence[Event]) -> None:
        self._add({event.key: event.to_json() for event in events})

    def forget(self, key: str) -> None:
        with self._change:
            self._waiting.pop(key, None)

    def start(self) -> None:
        self._thread.start()

    def pending(self) -> list[str]:
        with self._change:
            return list(self._waiting.values())

    def restore(self, pending: Sequence[str]) -> None:
        self._add({key_of(line): line for line in pending})

    def delivered(self) -> list[str]:
        with self._change:
            done, self._delivered = self._delivered, []
            return done

    def drain(self) -> None:
        with self._change:
            while self._waiting and not self._stalled:
                before = self._done
                self._stalled = not self._change.wait_for(lambda: self._done > before, STALL)  # noqa: B023  called in this turn

    def undelivered(self) -> int:
        with self._change:
            return len(self._waiting) + self._lost

    def close(self) -> None:
        with self._change:
            self._closing = True
            self._change.notify_all()
        if self._thread.is_alive():
            self._thread.join(SHUTDOWN_TIMEOUT)

    def _add(self, lines: dict[str, str]) -> None:
        with self._change:
            self._waiting.update(lines)
            while len(self._waiting) > MAX_QUEUED:
                self._waiting.popitem(last=False)  # a new alarm matters more than an old one
                self._lost += 1
                self._problems.add(f"alarms dropped, queue of {self.name} is full")
            self._change.notify_all()

    def _run(self) -> None:
        pause = 1.0
        while True:
            with self._change:
                self._change.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    break
                name, line = next(iter(self._waiting.items()))
            try:
                self._send(name, line)
            except RefusedError as error:
                self._problems.add(f"alarm refused by {self.name}", error)
                with self._change:
                    self._lost += 1
            except Exception as error:  # the thread lives on; the error may contain a secret
                shown = error if isinstance(error, OSError) else type(error).__name__
                self._problems.add(f"delivery to {self.name} failed", shown)
                with self._change:
                    if self._change.wait_for(lambda: self._closing, pause):
                        break
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = 1.0
            with self._change:
                self._waiting.pop(name, None)
                self._delivered.append(name)
                self._done += 1
                self._change.notify_all()
        self._end()


TIMEOUT = 10.0  # seconds until an unacknowledged message is sent again, and timeout of a request


def publisher(url: str, problems: ProblemLog, readings: mqtt.Address | None = None) -> Delivery:
    """A sink that publishes each event with QoS 1 to a topic; repeated events have the same id.
    `readings`: address of the readings; its credentials are not sent to another broker. Raises
    UsageError: the address is invalid or has wildcards."""
    where = mqtt.one_topic(url)
    same = readings is not None and (where.host, where.port) == (readings.host, readings.port)

    def report(what: str, why: str) -> None:
        if what != "lost":
            problems.add(f"connection for alarms {what}", why)

    credentials = mqtt.READINGS if same else mqtt.ALARMS
    connection = mqtt.Connection(where, "", report, gives_up=False, credentials=credentials)
    client = connection.client
    connection.open(clean_start=True)

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

    return Delivery(named(f"MQTT {where}", url), send, problems, connection.close)


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
    mqtt.refuse_credentials(url, TOKEN)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    # Checked now: urllib would refuse such a URL only at the first alarm, and show it.
    plain = url.isascii() and url.isprintable() and " " not in url
    if not plain or not host or port == 0 or parts.scheme not in ("http", "https"):
        how = "https://host[:port]/path; other characters as %XX"
        raise UsageError("--alarms: invalid URL of a webhook", how)
    token = os.environ.get(TOKEN, "").strip()
    if not (token.isascii() and token.isprintable()):
        what = f"{TOKEN}: contains characters other than printable ASCII"
        raise UsageError(what, "set it to the token only")
    if token and parts.scheme == "http" and host not in mqtt.LOCAL:
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


def sinks(
    targets: Sequence[str],
    problems: ProblemLog,
    readings: mqtt.Address | None = None,
    scores: Path | None = None,
) -> list[Sink]:
    """One sink per target: `-`, a file, `mqtt[s]://…` or `http[s]://…`. `readings`: the broker of
    the readings, if there is one. `scores`: the file of the scores, if there is one. Raises
    UsageError: a target is invalid, or two outputs are one file."""
    alone = list(dict.fromkeys(targets))
    files = [Path(one).resolve() for one in alone if one != "-" and not mqtt.scheme(one)]
    files += [] if scores is None else [scores.resolve()]
    if twice := [file for file in files if files.count(file) > 1]:
        raise UsageError(f"{twice[0]}: two outputs in one file", "give each its own file")
    return [_sink(target, problems, readings) for target in alone]


def _sink(target: str, problems: ProblemLog, readings: mqtt.Address | None) -> Sink:
    if target == "-":
        return StandardOutput()
    kind = mqtt.scheme(target)
    if kind in ("mqtt", "mqtts"):
        return publisher(target, problems, readings)
    if kind in ("http", "https"):
        return webhook(target, problems)
    mqtt.refuse_credentials(target, f"{mqtt.VARIABLES}, {TOKEN}")
    if kind:
        what = "--alarms: unknown scheme, neither MQTT nor a webhook"
        raise UsageError(what, "use mqtt[s]://host/topic or https://host/path")
    return JsonLines(Path(target))

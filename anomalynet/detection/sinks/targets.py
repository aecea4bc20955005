"""What `--alarms` names → sinks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from anomalynet.detection.sinks import Sink
from anomalynet.detection.sinks.json_lines import JsonLines, StandardOutput
from anomalynet.detection.sinks.webhook import TOKEN, webhook
from anomalynet.detection.stream.addresses import refuse_credentials, scheme
from anomalynet.detection.stream.mqtt import VARIABLES, Address
from anomalynet.detection.stream.notices import Notices
from anomalynet.errors import UsageError


def sinks(targets: Sequence[str], notices: Notices, readings: Address | None = None) -> list[Sink]:
    """One sink a target: `-`, a file, `mqtt[s]://…` or `http[s]://…`.

    Args:
        readings: the broker that they come from, if they do.

    Raises:
        UsageError: a target cannot be used.
    """
    return [_sink(target, notices, readings) for target in dict.fromkeys(targets)]


def _sink(target: str, notices: Notices, readings: Address | None) -> Sink:
    if target == "-":
        return StandardOutput()
    kind = scheme(target)
    if kind in ("mqtt", "mqtts"):
        from anomalynet.detection.sinks.mqtt import mqtt

        return mqtt(target, notices, readings)
    if kind in ("http", "https"):
        return webhook(target, notices)
    refuse_credentials(target, f"{VARIABLES}, {TOKEN}")
    if kind:
        raise UsageError(
            "--alarms: an address that is neither of MQTT nor of a webhook",
            "mqtt[s]://host/topic or https://host/path",
        )
    return JsonLines(Path(target))

"""What `--alarms` names → sinks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from anomalynet.detection.addresses import refuse_credentials, scheme
from anomalynet.detection.mqtt import VARIABLES
from anomalynet.detection.notices import Notices
from anomalynet.detection.sinks import Sink
from anomalynet.detection.sinks.json_lines import JsonLines, StandardOutput
from anomalynet.detection.sinks.webhook import TOKEN, webhook
from anomalynet.errors import UsageError


def sinks(targets: Sequence[str], client: str, notices: Notices) -> list[Sink]:
    """One sink a target: `-`, a file, `mqtt[s]://…` or `http[s]://…`.

    Args:
        client: start of the MQTT client id of sinks.

    Raises:
        UsageError: a target cannot be used.
    """
    return [_sink(target, client, notices) for target in dict.fromkeys(targets)]


def _sink(target: str, client: str, notices: Notices) -> Sink:
    if target == "-":
        return StandardOutput()
    kind = scheme(target)
    if kind in ("mqtt", "mqtts"):
        from anomalynet.detection.sinks.mqtt import mqtt

        return mqtt(target, f"anomalynet-{client}-alarms-{hashlib.sha256(target.encode()).hexdigest()[:8]}", notices)
    if kind in ("http", "https"):
        return webhook(target, notices)
    refuse_credentials(target, f"{VARIABLES}, {TOKEN}")
    if kind:
        raise UsageError("--alarms: an address that is neither of MQTT nor of a webhook", "mqtt[s]://host/topic or https://host/path")
    return JsonLines(Path(target))

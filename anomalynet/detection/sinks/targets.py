"""What `--alarms` names → sinks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from anomalynet.detection.notices import Notices
from anomalynet.detection.sinks import Sink
from anomalynet.detection.sinks.json_lines import JsonLines, StandardOutput


def sinks(targets: Sequence[str], client: str, notices: Notices) -> list[Sink]:
    """One sink a target: `-`, a file, `mqtt[s]://…` or `http[s]://…`.

    Args:
        client: start of the MQTT client id of sinks.

    Raises:
        UsageError: a target cannot be used.
    """
    found: list[Sink] = []
    for target in dict.fromkeys(targets):
        if target == "-":
            found.append(StandardOutput())
        elif target.startswith(("mqtt://", "mqtts://")):
            from anomalynet.detection.sinks.mqtt import mqtt

            found.append(mqtt(target, f"anomalynet-{client}-alarms-{hashlib.sha256(target.encode()).hexdigest()[:8]}", notices))
        elif target.startswith(("http://", "https://")):
            from anomalynet.detection.sinks.webhook import webhook

            found.append(webhook(target, notices))
        else:
            found.append(JsonLines(Path(target)))
    return found

"""The engine that `anomalynet detect` was asked for."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from anomalynet.errors import UsageError

if TYPE_CHECKING:
    from anomalynet.detection.core.engine import Engine


def make_engine(args: argparse.Namespace) -> Engine:
    """The engine that the arguments describe.

    Raises:
        UsageError: the model, the rule or the list of devices cannot be used.
    """
    from anomalynet.detection.core.alarms import AlarmRule
    from anomalynet.detection.core.engine import Engine
    from anomalynet.detection.model import Model

    allowed = None
    if args.devices is not None:
        try:
            allowed = set(args.devices.read_text(encoding="utf-8").split("\n")) - {""}
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not text"
            raise UsageError(
                f"{args.devices}: {why}", "--devices names a file, one device a line"
            ) from None
    k, n = args.hits
    rule = AlarmRule(threshold=args.threshold, clear=args.clear, k=k, n=n, cool_down=args.cool_down)
    return Engine(
        Model(args.model),
        rule,
        max_devices=args.max_devices,
        allowed=allowed,
        lateness=args.lateness,
    )

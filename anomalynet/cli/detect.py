"""`anomalynet detect`."""

from __future__ import annotations

import argparse
from pathlib import Path

from anomalynet.cli.arguments import add_json
from anomalynet.errors import UsageError

SUMMARY = "find anomalies with an exported model: in a file, a growing file, or live over MQTT"

EPILOG = """\
a recording, alarms on stdout; a growing file (- is stdin); live:
  anomalynet detect readings.csv --model model.onnx
  anomalynet detect --follow readings.jsonl --model model.onnx --watch
  anomalynet detect --mqtt mqtt://host/sensors/# --model model.onnx \\
    --state state --alarms alarms.jsonl --alarms https://host/hook

a reading in JSON, and a gateway's message:
  {"device": "n1", "time": "2026-01-01T00:00:00Z",
   "values": {"temperature": 21.5, "humidity": null}}
  {"gateway": "g1", "time": "2026-01-01T00:00:00Z", "readings": [...]}

credentials only from the environment: ANOMALYNET_MQTT_USERNAME, _PASSWORD,
_CA, _CERT, _KEY, ANOMALYNET_WEBHOOK_TOKEN; ANOMALYNET_ALARMS_USERNAME,
_PASSWORD for alarms to another broker than that of --mqtt. To other hosts
passwords go by mqtts:// only.
exit codes: 0 done or asked to stop (SIGTERM), 1 something could not be
written, 2 usage or a refusal of the broker, 130 interrupted"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    group = parser.add_argument_group("readings, one of")
    group.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="a recording: CSV, JSON lines or Parquet"
    )
    group.add_argument(
        "--follow", metavar="FILE|-", help="JSON lines of a file as it grows, or of stdin"
    )
    group.add_argument("--mqtt", metavar="URL", help="mqtt[s]://host[:port]/topic/filter")
    parser.add_argument(
        "--model", type=Path, required=True, metavar="ONNX", help="what `anomalynet export` wrote"
    )
    _alarms(parser)
    _stream(parser)
    add_json(parser)


def _alarms(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("alarms")
    told = (
        "a file of JSON lines, - (stdout, the default; with --json none), "
        "mqtt[s]://host[:port]/topic or https://…; may be repeated"
    )
    group.add_argument("--alarms", action="append", default=[], metavar="TARGET", help=told)
    group.add_argument(
        "--scores",
        type=Path,
        metavar="FILE",
        help="write every step with its score, as .csv or .jsonl",
    )
    group.add_argument(
        "--threshold",
        type=float,
        metavar="SCORE",
        help="a score at or above it is anomalous (default: the model's)",
    )
    told = "alarm when K of the last N scores are anomalous (default: 1/1)"
    group.add_argument("--hits", type=_hits, default=(1, 1), metavar="K/N", help=told)
    group.add_argument(
        "--clear",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="of the threshold below which a score is quiet (default: 1)",
    )
    told = "after an alarm no other one of the same device (default: 0)"
    group.add_argument("--cool-down", type=_seconds, default=0.0, metavar="SECONDS", help=told)
    group.add_argument(
        "--devices",
        type=Path,
        metavar="FILE",
        help="names of the devices that are listened to, one a line (default: all)",
    )
    group.add_argument(
        "--max-devices",
        type=_count,
        default=20_000,
        metavar="N",
        help="further ones are refused (default: 20000)",
    )
    told = "how late a reading may come before its step counts as silent (default: 0)"
    group.add_argument("--lateness", type=_seconds, default=0.0, metavar="SECONDS", help=told)


def _stream(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("with --follow and --mqtt")
    group.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help="keep the state here: a detector that was killed goes on exactly",
    )
    group.add_argument(
        "--snapshot-every", type=_seconds, default=30.0, metavar="SECONDS", help="(default: 30)"
    )
    group.add_argument(
        "--fsync",
        action="store_true",
        help="wait for the disk before acknowledging: safe against power cuts too",
    )
    told = (
        "a source silent for so long goes on by the wall clock, so that a dead gateway is "
        "noticed; 0: never (default: 60)"
    )
    group.add_argument("--patience", type=_seconds, default=60.0, metavar="SECONDS", help=told)
    group.add_argument(
        "--max-message",
        type=_count,
        default=1 << 20,
        metavar="BYTES",
        help="a longer message is not read (default: 1 MiB)",
    )
    group.add_argument(
        "--client-id",
        metavar="ID",
        help="of the broker's session (default: anomalynet- and the run's id)",
    )
    told = "how long the broker keeps messages for an absent detector (default: a day)"
    group.add_argument(
        "--session-expiry", type=_count, default=86_400, metavar="SECONDS", help=told
    )
    told = 'says "online" or "offline" (default: anomalynet/ID/status)'
    group.add_argument("--status-topic", metavar="TOPIC", help=told)
    group.add_argument(
        "--metrics",
        metavar="[HOST:]PORT",
        help="serve /metrics for Prometheus and /healthz (host: 127.0.0.1)",
    )
    group.add_argument(
        "--drift-every",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="log the drift of scores and channels",
    )
    group.add_argument("--watch", action="store_true", help="show devices, scores and alarms live")


def run(args: argparse.Namespace) -> int:
    """Detect."""
    from anomalynet.detection.stream.mqtt import refuse_credentials

    given = [name for name in ("file", "follow", "mqtt") if getattr(args, name) is not None]
    if len(given) != 1:
        raise UsageError("name one of FILE, --follow and --mqtt", "anomalynet detect --help")
    if file := args.file or args.follow:
        refuse_credentials(str(file), "ANOMALYNET_MQTT_USERNAME, _PASSWORD")
    if args.file is not None:
        for name in ("state", "metrics", "watch", "drift_every", "fsync"):
            if getattr(args, name):
                told = f"--{name.replace('_', '-')} goes with --follow and --mqtt"
                raise UsageError(told, "a file as a stream: … | anomalynet detect --follow -")
        from anomalynet.cli.detect_file import detect_file

        return detect_file(args)
    from anomalynet.cli.detect_stream import detect_stream

    return detect_stream(args)


def _hits(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n) <= 63):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N, like 3/5")
    return int(k), int(n)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) < 1 << 32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)

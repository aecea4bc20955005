"""`anomalynet detect`."""

from __future__ import annotations

import argparse
import shlex
import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

from anomalynet.cli.arguments import Parser, add_json, amount, count, flag, option
from anomalynet.cli.output import print_json, print_next
from anomalynet.errors import DataError, UsageError, counted, say

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
written, 2 usage, no reading or no value of a sensor could be read, nothing
of a recording could be scored, or a refusal of the broker, 130 interrupted"""

MODEL = "model: {experiment} {run}, trained on {data}, threshold {threshold:.6g}"
STREAM = ["follow", "mqtt", "scores", "state", "fsync", "snapshot_every", "patience"]
STREAM += ["max_message", "client_id", "session_expiry", "status_topic", "metrics", "drift_every"]
"""Arguments that are parameters of `open_service`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.epilog = EPILOG
    group = parser.add_argument_group("readings, one of")
    text = "a recording: CSV, Parquet, NumPy or JSON lines"
    group.add_argument("file", nargs="?", type=Path, metavar="FILE", help=text)
    text = "JSON lines or CSV of a file as it grows, or JSON lines of stdin"
    option(group, "--follow", "FILE|-", text)
    option(group, "--mqtt", "URL", "mqtt[s]://host[:port]/topic/filter")
    text = "a file made by `anomalynet export`"
    parser.add_argument("--model", type=Path, required=True, metavar="ONNX", help=text)
    _add_alarms(parser.add_argument_group("alarms"))
    _add_stream(parser.add_argument_group("with --follow and --mqtt"))
    add_json(parser)


def _add_alarms(group: Parser) -> None:
    text = "a file of JSON lines, - (stdout, the default; with --json none), "
    text += "mqtt[s]://host[:port]/topic or https://…; may be repeated"
    group.add_argument("--alarms", action="append", default=[], metavar="TARGET", help=text)
    option(group, "--scores", "FILE", "write every step with its score, as .csv or .jsonl", Path)
    text = "a score at or above it is anomalous (default: the model's)"
    option(group, "--threshold", "SCORE", text, float)
    text = "alarm when K of the last N scores are anomalous (default: 1/1)"
    option(group, "--hits", "K/N", text, _hits, (1, 1))
    text = "of the threshold below which a score is quiet (default: 1)"
    option(group, "--clear", "SHARE", text, float, 1.0)
    text = "no further alarm of the same device for so long (default: 0)"
    option(group, "--cool-down", "SECONDS", text, amount, 0.0)
    text = "file with names of the devices to use, one per line (default: all)"
    option(group, "--devices", "FILE", text, Path)
    option(group, "--max-devices", "N", "further ones are refused (default: 20000)", count, 20_000)
    text = "calibrate devices that the model knows anew, by their first readings"
    flag(group, "--recalibrate", text)
    text = "how late a reading may come before its step counts as silent (default: 0)"
    option(group, "--lateness", "SECONDS", text, amount, 0.0)


def _add_stream(group: Parser) -> None:
    text = "store the state here: a killed detector continues exactly"
    option(group, "--state", "DIR", text, Path)
    option(group, "--snapshot-every", "SECONDS", "(default: 30)", amount, 30.0)
    text = "wait for the disk before acknowledging: also survives a power failure"
    flag(group, "--fsync", text)
    text = "a source silent for so long goes on by the wall clock, so that a dead gateway is "
    text += "noticed; 0: never (default: 60)"
    option(group, "--patience", "SECONDS", text, amount, 60.0)
    text = "longer messages are rejected (default: 1 MiB)"
    option(group, "--max-message", "BYTES", text, count, 1 << 20)
    text = "of the broker's session (default: anomalynet- and the run's id)"
    option(group, "--client-id", "ID", text)
    text = "how long the broker stores messages while no detector runs (default: one day)"
    option(group, "--session-expiry", "SECONDS", text, count, 86_400)
    text = 'topic for "online" and "offline" (default: anomalynet/ID/status)'
    option(group, "--status-topic", "TOPIC", text)
    text = "serve /metrics for Prometheus and /healthz (host: 127.0.0.1)"
    option(group, "--metrics", "[HOST:]PORT", text)
    text = "log the drift of scores and channels"
    option(group, "--drift-every", "SECONDS", text, amount, 0.0)
    flag(group, "--watch", "show devices, scores and alarms live")


def run(args: argparse.Namespace) -> int:
    """Detect."""
    from anomalynet.detection.service.mqtt import refuse_credentials

    given = [name for name in ("file", "follow", "mqtt") if getattr(args, name) is not None]
    if len(given) != 1:
        raise UsageError(
            "give exactly one of FILE, --follow and --mqtt", "anomalynet detect --help"
        )
    if file := args.file or args.follow:
        refuse_credentials(str(file), "ANOMALYNET_MQTT_USERNAME, _PASSWORD")
    if args.file is not None:
        for name in ("state", "metrics", "watch", "drift_every", "fsync"):
            if getattr(args, name):
                text = f"--{name.replace('_', '-')} needs --follow or --mqtt"
                raise UsageError(text, "a file as a stream: … | anomalynet detect --follow -")
        return _detect_file(args)
    return _detect_stream(args)


def _engine_options(args: argparse.Namespace) -> dict[str, Any]:
    from anomalynet.metrics.events import AlarmRule

    allowed = None
    if args.devices is not None:
        try:
            allowed = set(args.devices.read_text(encoding="utf-8").split("\n")) - {""}
        except (OSError, UnicodeDecodeError) as error:
            what = f"{args.devices}: {getattr(error, 'strerror', None) or 'not text'}"
            raise UsageError(what, "give a file with one device per line to --devices") from None
    k, n = args.hits
    rule = AlarmRule(threshold=args.threshold, clear=args.clear, k=k, n=n, cool_down=args.cool_down)
    limits = {name: getattr(args, name) for name in ("max_devices", "lateness", "recalibrate")}
    return {"rule": rule, "allowed": allowed, **limits}


def _detect_file(args: argparse.Namespace) -> int:
    from anomalynet.detection.recording import detect_file

    began = time.monotonic()

    def report(summary: dict[str, Any]) -> None:
        if args.json:
            print_json(summary)
        else:
            _print_summary(summary, args, time.monotonic() - began)

    detect_file(
        args.file,
        args.model,
        alarms=args.alarms or ([] if args.json else ["-"]),
        scores=args.scores,
        max_message=args.max_message,
        report=report,
        **_engine_options(args),
    )
    return 0


def _print_summary(summary: dict[str, Any], args: argparse.Namespace, seconds: float) -> None:
    alarms, silent = (counted(summary[name], "alarm") for name in ("alarms", "alarms_no_readings"))
    counts = f"{counted(summary['devices'], 'device')}, {counted(summary['readings'], 'reading')}, "
    counts += f"{summary['scored']:,} of {summary['steps']:,} steps scored in {seconds:.1f} s"
    if summary["scored"] < summary["steps"]:
        counts += f": a score needs {summary['window']} steps in a row"
    days = summary["device_days"]
    daily = f", {summary['alarms'] / days:,.2f} per device and day" if days else ""
    daily += f"; {silent} because readings stopped" if summary["alarms_no_readings"] else ""
    lines = [MODEL.format(**summary), counts, alarms + daily]
    if summary["highest"]:
        lines += ["alarms, then the highest scores, and what made them (times in UTC):"]
    for rank, each in enumerate(summary["highest"], 1):
        lines += _stretch(rank, each, summary["threshold"], args.hits)
    lines += summary["not_scored"]["texts"]
    lines += [f"  {count} {kind}" for kind, count in sorted(summary["rejected"].items())]
    if found := summary["evaluation"]:
        for name, kind in found["kinds"].items():
            delay = kind["median_delay"]
            late = "" if delay is None else f", median delay {delay:g} s"
            count = f"{kind['detected']} of {kind['incidents']}"
            shown = "attack" if name == "unnamed" else name
            lines.append(f"  {shown}: {count} incidents detected{late}")
        rate = found["false_alarms_per_device_day"]
        daily = "" if rate is None else f", {rate:,.2f} per device and day"
        lines.append(f"  {counted(found['false_alarms'], 'false alarm')}{daily}")
        if found["unjudged"]:
            lines.append(f"  {counted(found['unjudged'], 'alarm')} unjudged: no label there")
    say("\n".join(lines))
    if not summary["scored"]:
        return
    if args.scores is None:
        print_next("add --scores scores.csv for the score of every step")
    live = f"anomalynet detect --mqtt URL --model {shlex.quote(str(args.model))} --state state"
    print_next(live + " --hits {}/{}".format(*args.hits) * (args.hits != (1, 1)))


def _stretch(rank: int, one: dict[str, Any], threshold: float, hits: tuple[int, int]) -> list[str]:
    """The lines for one of the highest stretches."""
    from anomalynet.detection.contract import MASK

    state = "below the threshold"
    if one["alarms"]:
        state = "ALARM" if one["alarms"] == 1 else f"{one['alarms']} ALARMS"
    elif one["score"] >= threshold:
        few = "not in {} of {} steps".format(*hits) if hits != (1, 1) else "no new alarm"
        state = f"at the threshold, but {few}"
    state += ", no readings" * one["no_readings"]
    lines = [f"  {rank}. {one['device']}: {one['score']:.6g} at {one['peak']}, {state}"]
    named = ["missing readings" if name == MASK else name for name in one["channels"]]
    lines += [f"     by {', '.join(named)}"] * bool(named)
    if one["time"] != one["until"]:
        high = "reached the threshold" if one["score"] >= threshold else "at least half as high"
        lines += [f"     {high} between {one['time']} and {one['until']}"]
    return lines


def _detect_stream(args: argparse.Namespace) -> int:
    from anomalynet.detection.engine.engine import Engine
    from anomalynet.detection.model import Model
    from anomalynet.detection.recording import about
    from anomalynet.detection.service.status import line
    from anomalynet.detection.service.stream import open_service, run_service

    options = _engine_options(args)
    caught: list[int] = []  # signals that ask for an end

    def stop(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    before = {one: signal.signal(one, stop) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        engine = Engine(Model(args.model), **options)
        say(MODEL.format(**about(engine)))
        service = open_service(
            engine,
            alarms=args.alarms or ([] if args.json else ["-"]),
            measure_drift=args.watch,
            **{name: getattr(args, name) for name in STREAM},
        )
        run_service(service, lambda: caught, watch=args.watch)
        status = service.status
        if args.json:
            print_json(status.to_json())
        else:
            say(line(status, status.readings / (time.time() - status.started)))
        if service.source.ended and status.payloads and not service.engine.names:
            kinds = [f"{count} {kind}" for kind, count in sorted(status.rejected.items())]
            raise DataError(f"no reading was taken, refused: {', '.join(kinds)}")
        service.parser.check_read()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 130 if caught[-1:] == [signal.SIGINT] else 0


def _hits(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n) <= 63):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N, like 3/5")
    return int(k), int(n)

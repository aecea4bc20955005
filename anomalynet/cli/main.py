# PYTHON_ARGCOMPLETE_OK
"""`anomalynet VERB`: each verb is one module in this folder with SUMMARY, add_arguments and run;
modules import heavy packages inside run."""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import NoReturn

from anomalynet import __version__, errors
from anomalynet.cli.arguments import warn_of_contradictions
from anomalynet.cli.output import OutputLostError, guarded_streams, print_json

# fmt: off
VERBS = (
    "reproduce", "train", "test", "sweep", "status", "report", "compare", "check", "audit",
    "audit-table", "data", "simulate", "export", "detect", "ls", "show", "sync", "doctor",
)
# fmt: on
"""In the order of the help text."""

EPILOG = """\
examples:
  anomalynet reproduce                      every model of the paper, a report
  anomalynet data fetch skab                real data, verified
  anomalynet train hybrid data.name=skab    one run; repeat it to resume
  anomalynet export RUN --out m.onnx        the run's detector as a file
  anomalynet detect new.csv --model m.onnx  alarms in a file, or live (--mqtt)
  anomalynet sweep components               what does each part contribute?

key=value changes what is computed, --flags change how the command behaves.
exit codes: 0 done; 1 some runs failed, a table is impossible, or an unexpected
error; 2 usage, configuration or data; 3 regression; 4 nothing to compare;
130 interrupted; 141 nobody read the output"""


# argparse's text about a word that is none of those that an argument can have
INVALID = re.compile(r"argument (\S+): invalid choice: '(.*)' \((choose from .*)\)")


class _Parser(argparse.ArgumentParser):
    """Prints errors as briefly as `main` does, with the nearest valid word."""

    def error(self, message: str) -> NoReturn:
        if found := INVALID.fullmatch(message):
            name, given, listed = found.groups()
            near = errors.meant(given, re.findall(r"[\w-]+", listed))
            near = near or f" ({listed})" * (name != "VERB")
            message = f"unknown {name.lower()} {given!r}{near}"
        raise errors.UsageError(f"{self.prog}: {message}", f"{self.prog} --help")


class _Help(argparse.RawDescriptionHelpFormatter):
    """Keeps the lines of a text; those that are too long are wrapped, unless they are examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        fill = partial(textwrap.fill, width=width + 2)  # argparse leaves two columns free
        return "\n".join(line if line[:1] == " " else fill(line) for line in text.splitlines())


def build_parser() -> argparse.ArgumentParser:
    """The parser of every verb."""
    text = "Experiments, ablations and honest evaluation for anomaly detection in IoT sensor "
    text += "networks."
    parser = _Parser(prog="anomalynet", description=text, epilog=EPILOG, formatter_class=_Help)
    parser.add_argument("--version", action="version", version=f"anomalynet {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for verb in VERBS:
        module = importlib.import_module(f"anomalynet.cli.{verb.replace('-', '_')}")
        text = module.SUMMARY
        child = verbs.add_parser(verb, help=text, description=text, formatter_class=_Help)
        module.add_arguments(child)
        child.set_defaults(parser=child)
        if child.get_default("run") is None:  # unless the module has set another function
            child.set_defaults(run=module.run)
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse a command line; `key=value` may appear anywhere."""
    parser = build_parser()
    args, rest = parser.parse_known_args(argv)  # argparse cannot place `key=value` after a --flag
    accepts_overrides = hasattr(args, "overrides")
    overrides = [text for text in rest if accepts_overrides and text[:1] != "-" and "=" in text]
    unrecognised = [text for text in rest if text not in overrides]
    if unrecognised:
        options = re.findall(r"(?<![\w-])--?[a-z][\w-]*", args.parser.format_help())
        near = errors.meant(unrecognised[0].partition("=")[0], options)
        args.parser.error(f"unrecognised: {' '.join(unrecognised)}{near}")
    if overrides:
        args.overrides = [*args.overrides, *overrides]
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["help"]:  # `help VERB` is `VERB --help`
        given = [*given[1:], "--help"]
    if "_ARGCOMPLETE" in os.environ:  # the shell asks what could follow; this ends the process
        import argcomplete

        argcomplete.autocomplete(build_parser())
    with guarded_streams():
        try:
            if sorted(given) == ["--json", "--version"]:
                print_json({"version": __version__})
                return 0
            if not given:
                what = f"name a verb: {', '.join(VERBS)}"
                raise errors.UsageError(what, "anomalynet --help explains them")
            return _run(given)
        except OutputLostError:
            return 141  # 128 + SIGPIPE, as of any program whose reader has gone
        except KeyboardInterrupt:
            what = "interrupted; nothing finished is lost, repeat the command to resume"
            return _failed(errors.StoppedError(what), given)
        except Exception as error:
            if "--debug" in given or (explained := _explained(error)) is None:
                raise
            return _failed(explained, given)


def _failed(error: errors.AnomalynetError, given: Sequence[str]) -> int:
    """Print an error, with `--json` as the command's only document too; return its exit code."""
    if "--json" in given and not getattr(sys.stdout, "used", False):
        facts = {"message": error.message, "next_step": error.next_step}
        with suppress(OutputLostError):
            print_json({"error": {**facts, "exit_code": error.exit_code}})
    prefixed = isinstance(error, errors.UsageError) and not error.message.startswith("anomalynet")
    errors.say(f"anomalynet: {error}" if prefixed else str(error))
    return error.exit_code


def _run(argv: Sequence[str]) -> int:
    for text in argv:
        text.encode()  # a name that is not UTF-8 could be read, but not recorded in results
    try:
        args = parse(argv)
        words = [*getattr(args, "names", ()), *getattr(args, "overrides", ())]
        warn_of_contradictions([word for word in words if "=" in word])
        code: int = args.run(args)
    except SystemExit:  # of argparse
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


HINTS = {number: errors.disk_hint(os.strerror(number)) for number in errors.DISK_ERRORS}
HINTS[errno.ENAMETOOLONG] = "use a shorter name"


def _explained(error: Exception) -> errors.AnomalynetError | None:
    """An error as one that a user can read; None for a bug in an installation."""
    if isinstance(error, errors.AnomalynetError):
        return error
    if isinstance(error, ModuleNotFoundError):
        if error.name is None or error.name.startswith("anomalynet"):
            return None
        hint = "pip install the wheel or the clone again, without --no-deps"
        return errors.UsageError(f"this needs the package {error.name}", hint)
    if isinstance(error, OSError) and (error.filename is not None or error.errno in HINTS):
        name = "" if error.filename is None else f"{str(error.filename)[:200]}: "
        hint = HINTS.get(error.errno or 0, "check the path and its permissions")
        return errors.UsageError(f"{name}{error.strerror}", hint)
    if isinstance(error, UnicodeEncodeError) and error.encoding == "utf-8":
        hint = "names and paths must be UTF-8, because results record them: rename it"
        return errors.UsageError(f"{error.object[:200]!r} is not UTF-8", hint)
    text = str(error)
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate" in text:
        hint = "choose a smaller model, window or training.batch_size, or a machine with more"
        return errors.UsageError("not enough memory", hint)
    hint = "please report it with the output of --debug"
    return errors.RunError(f"anomalynet: unexpected {type(error).__name__}: {text}", hint)

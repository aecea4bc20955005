"""`anomalynet show`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from anomalynet.cli.arguments import add_json, flag, option
from anomalynet.cli.output import print_json, print_next, print_rows, print_text
from anomalynet.errors import UsageError, meant

SUMMARY = "show the configuration of an experiment, the origin of its values, or how two differ"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    text = "one experiment to show, or two to compare (names or paths); then key=value; with "
    text += "--keys also keys or sections, such as `training.epochs` or `data`"
    parser.add_argument("names", nargs="*", metavar="EXPERIMENT", help=text)
    flag(parser, "--origin", "show where each value was set")
    flag(parser, "--keys", "instead explain every key, or the named ones")
    text = "instead draw the incidents that are injected, on windows of this data set"
    option(parser, "--injected", "DATA", f"{text} (experiment: unlabelled)")
    option(parser, "--out", "FILE", "the figure (default: injected-DATA.png)", Path)
    add_json(parser)
    parser.set_defaults(overrides=[])


def run(args: argparse.Namespace) -> int:
    """Show one configuration, compare two, or explain the keys."""
    from anomalynet.config import show
    from anomalynet.config.identity import flatten
    from anomalynet.config.load import load

    names = [name for name in args.names if "=" not in name]
    overrides = [name for name in args.names if "=" in name] + args.overrides
    if args.injected is not None:
        from anomalynet.reporting.injected import draw_injected

        name, data = (names or ["unlabelled"])[0], {"data.name": args.injected}
        config = load(name, overrides, data).config
        figure = draw_injected(config, args.out or Path(f"injected-{Path(args.injected).stem}.png"))
        print_json({"figure": figure}) if args.json else print(figure)
        words = [name, *overrides, f"data.name={args.injected}"]
        print_next(f"anomalynet train {shlex.join(words)}")
        return 0
    if args.keys:
        _explain_keys(names, overrides, as_json=args.json)
        return 0
    if not 1 <= len(names) <= 2:
        hint = "`anomalynet ls experiments` lists them"
        raise UsageError("name one experiment, or two to compare", hint)
    loaded = [load(name, overrides) for name in names]
    if len(loaded) == 2:
        rows = show.difference(*loaded)
        print_rows(rows, as_json=args.json) if rows or args.json else print("no difference")
    elif args.json:
        values: dict[str, object] = flatten(loaded[0].config)
        if args.origin:
            origins = {key: loaded[0].origins.get(key, "default") for key in values}
            values = {key: {"value": values[key], "origin": origins[key]} for key in values}
        print_json(values)
    else:
        print(show.as_yaml(loaded[0], origin=args.origin), end="")
    return 0


def _explain_keys(names: Sequence[str], overrides: Sequence[str], *, as_json: bool) -> None:
    """Explain the keys of an experiment's model and of everything else, or the named keys and
    those of named sections."""
    from anomalynet.config.load import load
    from anomalynet.config.locate import files
    from anomalynet.config.show import documentation

    every = documentation("hybrid")
    sections = {str(row["key"]).split(".")[0] for row in every}
    known = {*files("experiments")} - sections
    experiments = [name for name in names if name in known or name.endswith((".yaml", ".yml"))]
    if experiments:
        every = documentation(load(experiments[0], overrides).config.model.name)
    rows = {str(row["key"]): row for row in every}
    wanted = {f"{name}.": name for name in names if name not in experiments}
    for prefix, name in wanted.items():
        if not any(f"{key}.".startswith(prefix) for key in rows):
            near = meant(name, [*rows, *sections, *known])
            hint = "`anomalynet show --keys` explains every key"
            raise UsageError(f"unknown key, section or experiment {name!r}{near}", hint)
    chosen = [row for key, row in rows.items() if f"{key}.".startswith(tuple(wanted) or "")]
    if as_json:
        print_json(chosen)
        return
    for row in chosen:
        print_text(f"{row['key']}: {row['type']} = {row['default']}")
        print_text(f"    {row['meaning']}")

"""`anomalynet show`."""

from __future__ import annotations

import argparse

from anomalynet.cli.arguments import add_json
from anomalynet.cli.output import print_json, print_table
from anomalynet.errors import UsageError

SUMMARY = "show the configuration of an experiment, where it came from, or how two differ"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "names",
        nargs="*",
        metavar="EXPERIMENT",
        help="one to show, or two to compare (names or paths); then key=value",
    )
    parser.add_argument("--origin", action="store_true", help="say where each value came from")
    parser.add_argument("--keys", action="store_true", help="explain every key instead")
    add_json(parser)
    parser.set_defaults(overrides=[])


def run(args: argparse.Namespace) -> int:
    """Show."""
    from anomalynet.config import show
    from anomalynet.config.identity import flatten
    from anomalynet.config.load import load

    names = [name for name in args.names if "=" not in name]
    overrides = [name for name in args.names if "=" in name] + args.overrides
    if args.keys:
        model = load(names[0], overrides).config.model.name if names else "hybrid"
        rows = show.documentation(model)
        print_json(rows) if args.json else print_table(rows)
        return 0
    if not 1 <= len(names) <= 2:
        raise UsageError(
            "name one experiment, or two to compare", "`anomalynet ls experiments` lists them"
        )
    loaded = [load(name, overrides) for name in names]
    if len(loaded) == 2:
        rows = show.difference(*loaded)
        if args.json:
            print_json(rows)
        elif rows:
            print_table(rows)
        else:
            print("no difference")
    elif args.json:
        values = flatten(loaded[0].config)
        print_json(
            {
                key: {"value": value, "origin": loaded[0].origins.get(key, "default")}
                if args.origin
                else value
                for key, value in values.items()
            }
        )
    else:
        print(show.as_yaml(loaded[0], origin=args.origin), end="")
    return 0

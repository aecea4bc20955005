"""Finds YAML files of experiments and sweeps: in the working folder, checkout or package."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Literal

from anomalynet.errors import UsageError, printable

Kind = Literal["experiments", "sweeps"]
_PACKAGE = Path(__file__).parents[1]


def folders(kind: Kind) -> list[Path]:
    """Existing folders of experiments or sweeps, in order of precedence."""
    # The wheel has copies in `_shipped`; a checkout has the folders beside the package.
    candidates = [Path.cwd() / kind, _PACKAGE.parent / kind, _PACKAGE / "_shipped" / kind]
    return [folder for folder in dict.fromkeys(candidates) if folder.is_dir()]


def files(kind: Kind) -> dict[str, Path]:
    """Every YAML file of a kind by its name; an earlier folder wins."""
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in sorted(folder.glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def is_file(path: Path) -> bool:
    """Whether a path is a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:  # such as a name of 300 letters
        return False


def find(kind: Kind, name: str) -> Path:
    """The YAML file for a name or a path. Raises UsageError: no such file, names the nearest; or
    its name cannot be printed."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if is_file(path):
            if printable(path.stem) != path.stem or not set(path.stem).isdisjoint("\t\n"):
                what = f"{name!r}: has characters that cannot be printed"
                raise UsageError(what, "rename it: folders of runs and reports bear its name")
            return path
        raise UsageError(f"{name}: no such file", f"`anomalynet ls {kind}` lists the known ones")
    by_name = files(kind)
    if name in by_name:
        return by_name[name]
    near = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    hint += f"`anomalynet ls {kind}` lists them; a path must end in .yaml"
    raise UsageError(f"unknown {kind[:-1]} {name!r}", hint)


def summary(path: Path) -> str:
    """The first comment line of a YAML file, without its name."""
    first = path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    return first.lstrip("# ").split(" — ", 1)[-1] if first.startswith("#") else ""

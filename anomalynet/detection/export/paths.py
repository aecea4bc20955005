"""Before anything heavy is loaded: whether the packages are there and the files may be written."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from anomalynet.errors import UsageError

SUFFIX = {"float32": ".onnx", "int8": ".int8.onnx", "float16": ".fp16.onnx"}
"""Variant of the contract → end of its file's name."""

Variant = Literal["int8", "float16"]

VARIANTS: dict[str, Variant] = {"int8": "int8", "fp16": "float16"}
"""What `--variants` and the file's name say, and what the contract says."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The files that belong to `--out`."""

    out: Path

    def of(self, variant: str) -> Path:
        """The file of a variant, as the contract names it."""
        return self.out.with_name(self.out.stem + SUFFIX[variant])

    @property
    def card(self) -> Path:
        """The model card."""
        return self.out.with_suffix(".md")


def named(text: str) -> tuple[str, ...]:
    """The variants in `int8,fp16`, each once. Raises: UsageError if there is no such variant."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    strange = [name for name in names if name not in VARIANTS]
    if strange:
        what = f"--variants: there is no variant {strange[0]!r}"
        raise UsageError(what, f"there are {', '.join(VARIANTS)}; several with commas")
    return names


def checked(out: Path, variants: Sequence[str], *, replace: bool) -> Paths:
    """The files of `--out`. Raises: UsageError if the name does not end in .onnx, the folder cannot
    be written to, or a file is there and `replace` is off."""
    if out.suffix != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: not the name of an ONNX file", "--out model.onnx")
    nearest = next(folder for folder in out.absolute().parents if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        what = f"{out}: cannot be written in {nearest}"
        raise UsageError(what, "--out names a file in a folder that you may write to")
    paths = Paths(out)
    kept = ["float32", *(VARIANTS[name] for name in variants)]
    there = [path for path in (*map(paths.of, kept), paths.card) if path.exists()]
    if there and not replace:
        raise UsageError(f"{there[0]} is there already", "another name for --out, or --replace")
    return paths


NEEDED = ("onnx", "onnxruntime", "onnxscript", "skl2onnx")  # of the extra `export`


def require_packages() -> None:
    """Raises: UsageError if a package of the extra is missing; names it."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"exporting needs the package {', '.join(missing)}", "pip install 'anomalynet[export]'"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what exporters and quantisers log and warn of off the screen: what matters is verified,
    and said by us."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)

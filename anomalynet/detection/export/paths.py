"""Checks before slow imports: are the required packages installed, and can the files be written?"""

from __future__ import annotations

import glob
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from anomalynet.errors import UsageError, install_command
from anomalynet.runs.files import refuse_unwritable

Variant = Literal["int8", "float16"]
VARIANTS: dict[str, Variant] = {"int8": "int8", "fp16": "float16"}  # in `--variants` → in contracts
SUFFIX = {"float32": ".onnx", "int8": ".int8.onnx", "float16": ".fp16.onnx", "card": ".md"}


def named(text: str) -> tuple[str, ...]:
    """The variants in `int8,fp16`, each once. Raises UsageError: unknown variant."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in VARIANTS]:
        what = f"--variants: unknown variant {unknown[0]!r}"
        raise UsageError(what, f"known are {', '.join(VARIANTS)}; separate several by commas")
    return names


def checked(out: Path, variants: Sequence[str], *, replace: bool) -> dict[str, Path]:
    """The files of `--out`: variant, as in the contract, or `card` → its file. Raises UsageError:
    the name does not end in .onnx, the folder is not writable, or a file exists and `replace` is
    False."""
    if out.suffix != ".onnx" or out.is_dir():
        raise UsageError(f"{out}: not the name of an ONNX file", "for example --out model.onnx")
    refuse_unwritable(out.absolute().parent, "--out")
    kinds = ["float32", *(VARIANTS[name] for name in variants)]
    paths = {kind: out.with_name(out.stem + SUFFIX[kind]) for kind in (*kinds, "card")}
    there = [path for path in paths.values() if path.exists()]
    # An export that was killed while it named its files, the model last: this one finishes it.
    left = not out.exists() and any(out.parent.glob(f".{glob.escape(out.name)}.*.tmp"))
    if there and not (replace or left):
        raise UsageError(f"{there[0]} exists already", "choose another --out, or add --replace")
    return paths


NEEDED = ("onnx", "onnxruntime", "onnxscript", "skl2onnx")  # with protobuf, the extra `export`


def require_packages() -> None:
    """Raises UsageError: a package of the extra is not installed; names it."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        what = f"exporting needs the package {', '.join(missing)}"
        raise UsageError(what, install_command(*NEEDED, "protobuf"))


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress logs and warnings of exporters and quantisers; the result is verified afterwards."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)

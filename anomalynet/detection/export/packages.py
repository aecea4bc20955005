"""The packages that exporting needs beside the program's own, and their silence."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from anomalynet.errors import UsageError

NEEDED = ("onnx", "onnxruntime", "onnxscript", "skl2onnx")
"""Of the extra `export`."""


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

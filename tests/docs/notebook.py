"""Makes a notebook of a Python file in percent format: `python -m tests.docs.notebook FILE.py`."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import pytest

MARK = re.compile(r"^# %%(?: \[(markdown)\])?\n", re.M)


def cells(text: str) -> list[tuple[str, str]]:
    """Kind (`markdown` or `code`) and source of each cell of a file in percent format."""
    _, *parts = MARK.split(text)
    found = []
    for kind, part in zip(parts[::2], parts[1::2], strict=True):
        source = part.strip("\n")
        plain = re.sub(r"^# ?", "", source, flags=re.M) if kind else source
        found.append((kind or "code", plain))
    return found


def execute(text: str, name: str = "tour") -> tuple[ModuleType, list[list[dict[str, Any]]]]:
    """Run a file cell by cell, as a module `name`; the module, and the outputs of each code cell:
    what it printed, then a PNG of each figure that it showed."""
    module, outputs = ModuleType(name), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)  # classes of its cells belong to it
        patch.setattr(plt, "show", lambda: None)
        for number, source in enumerate(code_cells(text), 1):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(source, f"{name}.py cell {number}", "exec"), vars(module))
            lines = printed.getvalue().splitlines(keepends=True)
            shown: list[dict[str, Any]] = []
            if lines:
                shown.append({"output_type": "stream", "name": "stdout", "text": lines})
            shown += [_picture(figure) for figure in plt.get_fignums()]
            plt.close("all")
            outputs.append(shown)
    return module, outputs


def code_cells(text: str) -> list[str]:
    """The sources of the code cells of a file in percent format."""
    return [source for kind, source in cells(text) if kind == "code"]


def _picture(figure: int) -> dict[str, Any]:
    image = io.BytesIO()
    plt.figure(figure).savefig(image, format="png", dpi=80)
    data = {"image/png": base64.b64encode(image.getvalue()).decode()}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def notebook(text: str, outputs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The file as a notebook of format 4.5, with the outputs of its code cells."""
    shown = iter(enumerate(outputs, 1))
    made = []
    for index, (kind, source) in enumerate(cells(text)):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{index}", "metadata": {}}
        cell["source"] = source.splitlines(keepends=True)
        if kind == "code":
            cell["execution_count"], cell["outputs"] = next(shown)
        made.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    plt.switch_backend("agg")
    file = Path(sys.argv[1])
    text = file.read_text(encoding="utf-8")
    made = notebook(text, execute(text)[1])
    written = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    file.with_suffix(".ipynb").write_text(written, encoding="utf-8")

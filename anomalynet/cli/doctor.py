"""`anomalynet doctor`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import shutil
from pathlib import Path

from anomalynet.cli.arguments import add_json
from anomalynet.cli.output import print_rows
from anomalynet.errors import install_command

SUMMARY = "list the machine, versions, data sets and keys, and what is missing"

PACKAGES = "torch lightning torchmetrics optuna wandb omegaconf polars scikit-learn matplotlib"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """List everything; the exit code is 1 if something needed is missing."""
    rows = [*_machine(), *_packages(), *_devices(), *_data(), _key()]
    print_rows(rows, as_json=args.json)
    return int(any(row["state"] == "missing" for row in rows))


def _row(what: str, found: object, state: str = "ok", advice: str = "") -> dict[str, object]:
    return {"what": what, "found": found, "state": state, "advice": advice}


def _machine() -> list[dict[str, object]]:
    disk = shutil.disk_usage(Path.cwd()).free / 2**30
    short = ("low", "runs and prepared data need space") if disk <= 2 else ("ok", "")
    return [
        _row("python", platform.python_version()),
        _row("system", platform.platform()),
        _row("cores", os.cpu_count()),
        _row("free disk", f"{disk:.0f} GiB", *short),
    ]


def _packages() -> list[dict[str, object]]:
    """A row per needed package, and per extra of pyproject.toml, whose packages may be missing."""
    from importlib.metadata import distributions  # slow, and TAB imports each verb

    rows = []
    has = {name: any(distributions(name=name)) for name in ("torch", "optuna", "onnxruntime")}
    gateway = has["onnxruntime"] and not (has["torch"] or has["optuna"])
    for name in PACKAGES.split():
        versions = [one.version for one in distributions(name=name)]
        missing = (None, "missing", install_command(name))
        if gateway:
            use = "for `anomalynet detect` of CSV, Parquet and NumPy" if name == "polars" else ""
            missing = (None, "optional", use or "to train; `anomalynet detect` runs without")
        rows.append(_row(name, versions[0]) if versions else _row(name, *missing))
    lines = [line for own in distributions(name="anomalynet") for line in own.requires or ()]
    form = r"^([\w.-]+(?:\[[\w,]+\])?).*extra == .([\w-]+)"
    needed = re.findall(form, "\n".join(lines), re.MULTILINE)
    clone = (Path(__file__).parents[2] / "pyproject.toml").is_file()
    for extra in dict.fromkeys(extra for _, extra in needed):
        names = [name for name, of in needed if of == extra and "anomalynet" not in name]
        there = all(any(distributions(name=name.partition("[")[0])) for name in names)
        lacking = ("no", "optional", f"pip install -e '.[{extra}]'")
        if not clone:
            lacking = ("no", "optional", install_command(*names))
        rows.append(_row(f"extra {extra}", *(("installed",) if there else lacking)))
    return rows


def _devices() -> list[dict[str, object]]:
    if importlib.util.find_spec("torch") is None:
        return []
    import torch

    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    if gpus:
        return [_row(f"cuda:{index}", name) for index, name in enumerate(gpus)]
    if torch.backends.mps.is_available():
        return [_row("mps", platform.processor())]
    capability = torch.backends.cpu.get_cpu_capability()
    return [_row("accelerator", "none", "ok", f"runs use the CPU ({capability}), one thread each")]


def _data() -> list[dict[str, object]]:
    if importlib.util.find_spec("polars") is None:
        return []
    from anomalynet.cli.data import data_sets
    from anomalynet.data.folder import data_folder

    advice = {"not made yet": "simulated when it is first used", "no": "anomalynet data fetch {}"}
    rows = [_row("data folder", data_folder())]
    for name, there in ((str(one["name"]), str(one["there"])) for one in data_sets()):
        state = {"no": "optional", "damaged": "damaged"}.get(there, "ok")
        rows.append(_row(f"data {name}", there, state, advice.get(there, "").format(name)))
    return rows


def _key() -> dict[str, object]:
    netrc = Path.home() / ".netrc"
    stored = netrc.is_file() and "api.wandb.ai" in netrc.read_text(errors="ignore")
    there = stored or os.environ.get("WANDB_API_KEY")
    return _row("Weights & Biases key", *(("yes",) if there else ("no", "optional", "wandb login")))

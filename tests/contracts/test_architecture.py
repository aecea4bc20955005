"""What holds for the whole package: floors, light start-up, no pickle."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from importlib.util import resolve_name
from pathlib import Path

import pytest

import anomalynet

PACKAGE = Path(__file__).parents[2] / "anomalynet"
FLOORS = {
    "errors": 0,
    "documents": 0,
    "config": 1,
    "runs": 1,
    "simulation": 1,
    "data": 2,
    "preprocessing": 2,
    "layers": 2,
    "metrics": 2,
    "models": 3,
    "training": 4,
    "tracking": 4,
    "sweep": 5,
    "reporting": 5,
    "regression": 5,
    "detection": 5,
    "cli": 6,
    "__init__": 6,
    "__main__": 6,
}
MODULES = sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module, package: str) -> list[tuple[str, int]]:
    """Every module that a file of a package imports, anywhere in it, with the line."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = resolve_name("." * node.level + (node.module or ""), package)
            names = [f"{module}.{one.name}" for one in node.names]
            if module == "anomalynet":  # its public names come from other modules
                public = [getattr(anomalynet, one.name, None) for one in node.names]
                names = [getattr(one, "__module__", module) for one in public]
            found += [(name, node.lineno) for name in (module, *names)]
    return found


def reaches_up(name: str, own: int) -> bool:
    parts = name.split(".")
    return parts[0] == "anomalynet" and FLOORS.get("".join(parts[1:2]), 0) > own


def test_every_form_of_import_is_seen() -> None:
    for text in ("from anomalynet import train", "from ..cli import main", "import anomalynet.cli"):
        found = imports(ast.parse(text), "anomalynet.config")
        assert any(reaches_up(name, FLOORS["config"]) for name, _ in found), text


def test_a_module_imports_only_from_its_own_or_lower_floors() -> None:
    upwards = []
    for path in MODULES:
        own = FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
        package = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
        for name, line in imports(parsed(path), package):
            if reaches_up(name, own):
                upwards.append(f"{path}:{line} reaches up to {name}")
    assert upwards == []


def test_no_pickle_and_no_unsafe_load() -> None:
    unsafe = []
    for path in MODULES:
        pickles = {"pickle", "cloudpickle", "joblib", "shelve", "marshal"}
        unsafe += [
            f"{path}:{line}"
            for name, line in imports(parsed(path), "")
            if name.split(".")[0] in pickles
        ]
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                call, name = ast.unparse(node), ast.unparse(node.func)
                if name == "torch.load" and "weights_only=True" not in call:
                    unsafe.append(f"{path}:{node.lineno}")
                if name == "np.load" and "allow_pickle=True" in call:
                    unsafe.append(f"{path}:{node.lineno}")
    assert unsafe == []


def test_no_reader_of_the_package_has_limits_of_its_own() -> None:
    """Pipes between the package's own processes and files within the package are no documents."""
    own = {"sweep/worker.py", "sweep/launch.py", "tracking/session.py", "tracking/run.py"}
    own |= {"reporting/paper/published.py", "reporting/paper/claims/judge.py", "documents.py"}
    calls = {"json.load", "json.loads", "yaml.load", "yaml.safe_load", "yaml.compose"}
    calls |= {"loader.get_single_node", "OmegaConf.load"}
    found = [
        f"{path}:{node.lineno}"
        for path in MODULES
        if path.relative_to(PACKAGE).as_posix() not in own
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in calls
    ]
    assert found == []


HEAVY = {"torch", "lightning", "polars", "sklearn", "matplotlib", "scipy", "optuna", "wandb"}
HEAVY.add("torchmetrics")
HELP = [f"{name} --help" for name in ("train", "sweep", "check", "sync", "audit-table", "detect")]
READING = ["--help", "ls", "ls experiments", "ls sweeps", "show hybrid", "show cnn hybrid"]
READING += ["simulate --list", "status --runs nowhere", "check --history"]
EACH = """
import contextlib, json, sys
from anomalynet.cli.main import main
loaded = {}
for command in json.loads(sys.argv[1]):
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
        main(command.split())
    loaded[command] = sorted({name.split(".")[0] for name in sys.modules})
print(json.dumps(loaded))
"""


def test_a_reading_command_loads_nothing_heavy() -> None:
    commands = json.dumps([*HELP, *READING, "export nothing --out model.onnx"])
    done = subprocess.run(
        [sys.executable, "-c", EACH, commands], capture_output=True, text=True, check=True
    )
    loaded = json.loads(done.stdout)
    assert len(loaded) == 16
    assert [command for command, names in loaded.items() if HEAVY & {*names}] == []


ALL = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in MODULES
    if path.relative_to(PACKAGE).parts[0] in ("reporting", "sweep", "regression")
]
DETECT = [
    "preprocessing.calibration",
    "preprocessing.grid",
    "detection.engine.engine",
    "detection.model",
]
LIGHT = {
    "import "
    + ", ".join([*ALL, "anomalynet.metrics.suite, anomalynet.metrics.threshold"]): "torch",
    "import " + ", ".join(f"anomalynet.{name}" for name in DETECT): (
        "torch polars lightning omegaconf yaml sklearn scipy onnx"
    ),
    "import anomalynet.models; anomalynet.models.available()": "torch sklearn lightning",
    "import anomalynet.reporting.render": "torch lightning sklearn matplotlib.pyplot",
    "import anomalynet.reporting.ablation.document": "lightning sklearn matplotlib.pyplot scipy",
}
"""What is done → what it must not load."""


def test_what_reads_result_files_lists_models_or_detects_loads_nothing_heavy() -> None:
    for does, heavy in LIGHT.items():
        code = f"import sys; {does}; print(*{{*{heavy.split()}}} & {{*sys.modules}})"
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "\n", does


def test_the_public_names_are_there_and_typed() -> None:
    import anomalynet

    assert all(getattr(anomalynet, name) is not None for name in anomalynet.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = anomalynet.nothing
    with pytest.raises(AttributeError, match="'TelemetryDataModule'"):
        _ = anomalynet.TelemetryDatamodule
    with pytest.raises(AttributeError, match="'Hybrid'"):
        _ = anomalynet.models.Hybird
    assert (PACKAGE / "py.typed").exists()

"""What holds for the whole package: floors, light start-up, no pickle."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
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


def imports(text: str, package: str) -> list[tuple[str, int]]:
    """Every module that a file of a package imports, anywhere in it, with the line."""
    found = []
    for node in ast.walk(ast.parse(text)):
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
        found = imports(text, "anomalynet.config")
        assert any(reaches_up(name, FLOORS["config"]) for name, _ in found), text


def test_a_module_imports_only_from_its_own_or_lower_floors() -> None:
    upwards = []
    for path in MODULES:
        own = FLOORS[path.relative_to(PACKAGE).parts[0].removesuffix(".py")]
        package = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
        for name, line in imports(path.read_text(), package):
            if reaches_up(name, own):
                upwards.append(f"{path}:{line} reaches up to {name}")
    assert upwards == []


def test_no_pickle_and_no_unsafe_load() -> None:
    unsafe = []
    for path in MODULES:
        pickles = {"pickle", "cloudpickle", "joblib", "shelve", "marshal"}
        unsafe += [
            f"{path}:{line}"
            for name, line in imports(path.read_text(), "")
            if name.split(".")[0] in pickles
        ]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                call, name = ast.unparse(node), ast.unparse(node.func)
                if name == "torch.load" and "weights_only=True" not in call:
                    unsafe.append(f"{path}:{node.lineno}")
                if name == "np.load" and "allow_pickle=True" in call:
                    unsafe.append(f"{path}:{node.lineno}")
    assert unsafe == []


def loaded_by(*arguments: str) -> set[str]:
    """Top-level packages that a command has imported when it ends."""
    code = (
        "import sys, json\nfrom anomalynet.cli.main import main\n"
        "try:\n    main(json.loads(sys.argv[1]))\nexcept SystemExit:\n    pass\n"
        "sys.stdout = sys.stderr\nprint(json.dumps(sorted({name.split('.')[0] for name in "
        "sys.modules})), file=sys.__stdout__)"
    )
    command = [sys.executable, "-c", code, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


HEAVY = {"torch", "lightning", "polars", "sklearn", "matplotlib", "scipy", "optuna", "wandb"}
HEAVY.add("torchmetrics")
HELP = [f"{name} --help" for name in ("train", "sweep", "check", "sync", "audit-table", "detect")]
READING = ["--help", "ls", "ls experiments", "ls sweeps", "show hybrid", "show cnn hybrid"]
READING += ["simulate --list", "status --runs nowhere", "check --history"]


@pytest.mark.parametrize("command", [*HELP, *READING, "export nothing --out model.onnx"])
def test_a_reading_command_loads_nothing_heavy(command: str) -> None:
    assert loaded_by(*command.split()) & HEAVY == set()


def test_what_reads_result_files_needs_no_torch() -> None:
    packages = ("reporting", "sweep", "regression")
    paths = sorted(path for package in packages for path in (PACKAGE / package).rglob("*.py"))
    files = [path.relative_to(PACKAGE.parent).with_suffix("") for path in paths]
    code = (
        f"import sys\nimport {', '.join('.'.join(file.parts) for file in files)}\n"
        "print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


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

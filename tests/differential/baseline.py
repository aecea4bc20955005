"""The old program: a wheel of the baseline commit, installed where nothing of the checkout is seen.

python -m tests.differential.baseline --to DIR [--constraint FILE]   a venv of its own
python -m tests.differential.baseline --to DIR --reuse PYTHON        a folder for PYTHONPATH
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from filelock import FileLock

COMMIT = "7a63d57"
EXTRAS = "export,stream,ray"
ROOT = Path(__file__).parents[2]


def in_history() -> bool:
    """Whether the repository holds the baseline commit."""
    command = ["git", "-C", str(ROOT), "cat-file", "-e", f"{COMMIT}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def wheel(python: str, folder: Path) -> Path:
    """Build the wheel of the baseline commit into a folder."""
    archive, source = folder / "source.tar", folder / "source"
    subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(archive), COMMIT], check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(source, filter="data")
    pip = [python, "-m", "pip", "-q", "wheel", "--no-deps", "-w", str(folder), str(source)]
    subprocess.run(pip, check=True)
    return next(folder.glob("*.whl"))


def unpack(to: Path, python: str = sys.executable) -> Path:
    """Unpack the wheel into a folder for PYTHONPATH; does nothing where it is."""
    to.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{to}.lock"), tempfile.TemporaryDirectory() as folder:
        if not (to / "anomalynet").is_dir():
            pip = [python, "-m", "pip", "-q", "install", "--no-deps", "--target", str(to)]
            subprocess.run([*pip, str(wheel(python, Path(folder)))], check=True)
    return to


def environment(to: Path, constraint: Path | None = None) -> str:
    """Make a venv with the wheel and its own dependencies; its interpreter. Keeps what is there."""
    python = to / "bin" / "python"
    if not python.exists():
        venv.create(to, with_pip=True)
    if subprocess.run([python, "-c", "import anomalynet, torch"], cwd=to, check=False).returncode:
        with tempfile.TemporaryDirectory() as folder:
            made = wheel(str(python), Path(folder))
            bounds = ["-c", str(constraint)] if constraint else []
            pip = [str(python), "-m", "pip", "-q", "install", *bounds, f"{made}[{EXTRAS}]"]
            subprocess.run(pip, check=True)
    return str(python)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--constraint", type=Path, help="versions, such as torch==2.13.0")
    parser.add_argument("--reuse", metavar="PYTHON", help="unpack only, for this interpreter")
    args = parser.parse_args()
    print(unpack(args.to, args.reuse) if args.reuse else environment(args.to, args.constraint))


if __name__ == "__main__":
    main()

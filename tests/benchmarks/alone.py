"""What a gateway needs: the wheel without its dependencies and requirements-detect.txt, in an
environment of their own.

    python -m tests.benchmarks.alone MODEL FILE

Builds the wheel, installs both with pip, runs `detect FILE`, and prints what it said and the size
of the environment. Exits 1 where something heavy was installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]

HEAVY = ("torch", "lightning", "polars", "sklearn", "omegaconf", "yaml")


def called(*command: str | Path) -> str:
    """Stdout of a command that succeeds."""
    return subprocess.run(
        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def megabytes(path: Path) -> int:
    """As `du` counts."""
    return int(called("du", "-sm", path).split()[0])


def main() -> int:
    """Install, detect and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "file", type=Path, help="a recording that `detect` reads without polars: CSV or JSON lines"
    )
    args = parser.parse_args()
    model, recording = args.model.absolute(), args.file.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        folder, place = Path(scratch), Path(scratch) / "alone"
        called(
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            folder,
            ROOT,
        )
        (wheel,) = folder.glob("anomalynet-*.whl")
        venv.create(place, with_pip=True)
        empty = megabytes(place)
        pip = (
            place / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        )
        called(*pip, "--requirement", ROOT / "requirements-detect.txt")
        called(*pip, "--no-deps", wheel)
        packages = next(place.glob("lib/python*/site-packages"))
        heavy = [name for name in HEAVY if (packages / name).exists()]
        done = subprocess.run(
            [place / "bin" / "anomalynet", "detect", recording, "--model", model],
            cwd=folder,
            check=True,
            text=True,
        )
        print(f"detect: exit code {done.returncode}", file=sys.stderr)
        print(
            f"{megabytes(place)} MB installed, {empty} MB of them Python and pip; heavy "
            f"packages: {', '.join(heavy) or 'none'}"
        )
    return 1 if heavy else 0


if __name__ == "__main__":
    raise SystemExit(main())

"""What a gateway needs: the wheel alone and requirements-detect.txt, in an environment apart.

`python -m tests.benchmarks.alone MODEL FILE` installs both, runs `detect FILE`, prints the size,
and exits with 1 where something heavy was installed.
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
    words = list(map(str, command))
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def megabytes(path: Path) -> int:
    """As `du` counts."""
    return int(called("du", "-sm", path).split()[0])


def main() -> int:
    """Install, detect and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("file", type=Path, help="JSON lines, which need no polars")
    args = parser.parse_args()
    model, recording = args.model.absolute(), args.file.absolute()
    with tempfile.TemporaryDirectory() as scratch:
        folder, place = Path(scratch), Path(scratch) / "alone"
        build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir"]
        called(sys.executable, *build, folder, ROOT)
        (wheel,) = folder.glob("anomalynet-*.whl")
        venv.create(place, with_pip=True)
        empty = megabytes(place)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip: list[str | Path] = [place / "bin" / "python", *install]
        called(*pip, "--requirement", ROOT / "requirements-detect.txt")
        called(*pip, "--no-deps", wheel)
        packages = next(place.glob("lib/python*/site-packages"))
        heavy = [name for name in HEAVY if (packages / name).exists()]
        command = [place / "bin" / "anomalynet", "detect", recording, "--model", model]
        subprocess.run(command, cwd=folder, check=True, text=True)
        print(
            f"{megabytes(place)} MB installed, {empty} MB of them Python and pip; heavy "
            f"packages: {', '.join(heavy) or 'none'}"
        )
    return 1 if heavy else 0


if __name__ == "__main__":
    raise SystemExit(main())

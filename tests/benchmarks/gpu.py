"""What a machine with a GPU has to show, in ten minutes: first that results are right, then how
fast it is.

    python -m tests.benchmarks.gpu [--device cuda] [--minutes 10] [--out FILE]

`--device cpu` runs the same steps without a GPU, to try this script; the speeds then say nothing.
Exit code 1: a result is wrong. Steps that the time does not allow are listed as not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import torch

from tests.tiny import TINY

LONG = TINY.replace("duration=18h", "duration=72h")
DATA = ("data.worlds=null", f"data.scenario={LONG}", "data.split.folds=3")
TOLERANCE = 5e-3  # of a score, between devices, after four epochs of the same batches
SLOTS = (1, 2, 4, 8, 16)  # runs per GPU that are tried
SEEDS = 16


def anomalynet(*words: str, wanted: int = 0) -> str:
    """The output of a command. Raises RuntimeError: another exit code."""
    command = [sys.executable, "-m", "anomalynet", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != wanted:
        raise RuntimeError(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr[-1500:]}")
    return done.stdout


class Checks:
    """The steps on one device, in a folder."""

    def __init__(self, device: str, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.gpu = device == "cuda"

    def train(self, name: str, *keys: str, device: str | None = None) -> Path:
        """Train the hybrid; the run's folder."""
        runs = self.folder / name
        where = f"hardware.accelerator={device or self.device}"
        own = [*DATA, where, "training.windows_per_epoch=4000", *keys]
        anomalynet("train", "hybrid", *own, "--runs", str(runs))
        return next(runs.glob("hybrid/*/result.json")).parent

    def scores(self, run: Path) -> np.ndarray:
        """Of all steps that have one."""
        return pl.read_parquet(run / "scores.parquet")["score"].drop_nulls().to_numpy()

    def equal_to_cpu(self) -> str:
        """The same network on the same batches."""
        here = self.scores(self.train("here", "training.epochs=4"))
        cpu = self.scores(self.train("cpu", "training.epochs=4", device="cpu"))
        largest = float(np.abs(here - cpu).max())
        assert len(here) == len(cpu) and largest <= TOLERANCE, f"scores differ by {largest:.1e}"
        return f"scores differ from the CPU's by at most {largest:.1e}"

    def resumed(self) -> str:
        """Stopped after an epoch by request, then continued: the same scores."""
        whole = self.train("whole", "training.epochs=3")
        runs = self.folder / "cut"
        words = [*DATA, f"hardware.accelerator={self.device}", "training.windows_per_epoch=4000"]
        command = [sys.executable, "-m", "anomalynet", "train", "hybrid", *words]
        command += ["training.epochs=3", "--runs", str(runs)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(runs.glob("hybrid/*/checkpoints/last.ckpt")):
            time.sleep(0.05)
        process.kill()
        process.wait()
        continued = self.train("cut", "training.epochs=3")
        largest = float(np.abs(self.scores(whole) - self.scores(continued)).max())
        assert largest <= (1e-6 if self.gpu else 0), f"scores differ by {largest:.1e}"
        return f"after kill -9 and a resume scores differ by {largest:.1e}"

    def exported(self) -> str:
        """The trained network as ONNX, compared by the exporter with torch."""
        run = next((self.folder / "here").glob("hybrid/*"))
        anomalynet("export", str(run), "--out", str(self.folder / "here.onnx"))
        return "exported, and equal to torch in ONNX Runtime"

    def half(self) -> str:
        """Trained in bf16: another result, of the same quality."""
        runs = {
            name: json.loads((self.train(name, *keys) / "result.json").read_text())
            for name, keys in (
                ("full", ["training.epochs=4", "seed=1"]),
                ("half", ["training.epochs=4", "seed=1", "training.precision=bf16-mixed"]),
            )
        }
        full, half = (runs[name]["metrics"]["test/average_precision"] for name in ("full", "half"))
        assert abs(full - half) < 0.1, f"average precision {full:.3f}, in bf16 {half:.3f}"
        return f"average precision {full:.3f}, in bf16 {half:.3f}"

    def sweep(self, slots: int, device: str, seeds: int = SEEDS) -> float:
        """Runs per hour with so many slots on one GPU, or on the CPU."""
        file = self.folder / f"sweep-{device}-{slots}.yaml"
        file.write_text(f"experiments: [hybrid]\nseeds: {list(range(seeds))}\nfolds: [0]\n")
        on_gpu = ["--gpus", "0", "--runs-per-gpu", str(slots)]
        how = on_gpu if device == "cuda" else ["--slots", str(slots)]
        keys = [*DATA, f"hardware.accelerator={device}", "training.epochs=4"]
        runs = self.folder / f"runs-{device}-{slots}"
        started = time.perf_counter()
        anomalynet("sweep", str(file), *keys, *how, "--runs", str(runs), "--only", f"1-{seeds}")
        return 3600 * seeds / (time.perf_counter() - started)

    def two_slots(self) -> str:
        """Two runs at once on one device give what one alone gives."""
        self.sweep(2, self.device, 2)
        self.sweep(1, self.device, 2)
        pairs = [
            [self.scores(one.parent) for one in sorted(self.folder.glob(f"{name}/*/*/result.json"))]
            for name in (f"runs-{self.device}-2", f"runs-{self.device}-1")
        ]
        same = all(np.allclose(a, b, atol=1e-6) for a, b in zip(*pairs, strict=True))
        assert same, "two runs on one device disturb each other"
        return "two runs at once give the scores of each alone"

    def speed(self) -> str:
        """Runs per hour by slots, beside two CPU cores."""
        device, lines = self.device, []
        for slots in SLOTS if self.gpu else SLOTS[:1]:
            lines.append(f"{slots} per GPU: {self.sweep(slots, device, 2 * slots):.0f} runs per h")
        lines.append(f"two CPU slots: {self.sweep(2, 'cpu', 4):.0f} runs per h")
        return "; ".join(lines)

    def compiled(self) -> str:
        """Microseconds of a training step, eager and with CUDA graphs."""
        from anomalynet.config.load import load
        from anomalynet.data.windows import WindowShape
        from anomalynet.models import Detector, build

        found = {}
        for name in ("eager", *(["reduce-overhead"] if self.gpu else [])):
            network = build(load("hybrid", DATA).config, WindowShape(32, 27))
            assert isinstance(network, Detector)
            network.to(self.device).train()
            step = torch.compile(network, mode=name) if name != "eager" else network
            optimiser = torch.optim.Adam(network.parameters(), fused=True)
            x = torch.randn(32, 32, 27, device=self.device)
            target = torch.randint(0, 2, (32,), device=self.device)
            for number in range(220):
                if number == 20:
                    self._wait()
                    started = time.perf_counter()
                loss = network.losses(step(x), target).mean()
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
            self._wait()
            found[name] = 1e6 * (time.perf_counter() - started) / 200
        return ", ".join(f"{name} {value:.0f} µs per step" for name, value in found.items())

    def _wait(self) -> None:
        if self.gpu:
            torch.cuda.synchronize()


def main() -> int:
    """Run the steps in order of importance until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    ends, wrong = time.monotonic() + 60 * args.minutes, 0
    name = torch.cuda.get_device_name() if args.device == "cuda" else "CPU: speeds say nothing"
    lines = [f"# {name}, torch {torch.__version__}", ""]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ANOMALYNET_DATA"] = f"{folder}/data"
        checks = Checks(args.device, Path(folder))
        steps: list[Callable[[], str]] = [checks.equal_to_cpu, checks.resumed, checks.exported]
        steps += [checks.half, checks.two_slots, checks.compiled, checks.speed]
        for step in steps:
            late = time.monotonic() > ends
            try:
                said = "not measured, the time was over" if late else step()
            except (AssertionError, RuntimeError) as error:
                said, wrong = f"WRONG: {error}", wrong + 1
            lines.append(f"- {step.__name__}: {said}")
            print(lines[-1], flush=True)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())

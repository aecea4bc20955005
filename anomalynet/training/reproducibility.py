"""Seeds, threads and the record of the environment: what makes a run repeatable."""

from __future__ import annotations

import logging
import os
import platform
import random
import signal
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from anomalynet.config.schema import Config
from anomalynet.runs.code import code_hash

_PACKAGES = (
    *("anomalynet", "torch", "lightning", "torchmetrics"),
    *("scikit-learn", "polars", "numpy", "omegaconf"),
)


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch. Called before a model is built; 0 is a seed like any other."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def prepare_process(config: Config) -> None:
    """Set threads and exact kernels; on CPUs one thread per process is fastest for several runs."""
    torch.set_num_threads(config.hardware.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Keep Lightning's notes off the screen: users get ours; its errors are exceptions."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            for logger in loggers:
                logger.setLevel(logging.ERROR)
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt; Lightning would exit, and ignore the next ones."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as ending:
        if not isinstance(ending.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from None


@contextmanager
def no_denormals() -> Iterator[None]:
    """Flush numbers too small for float32's precision to zero: on separable data they make a CPU
    step several times slower."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def environment(config: Config, fingerprint: str) -> dict[str, object]:
    """What the run saw: versions, hardware, data and code."""
    data = {name: getattr(config.data, name) for name in ("name", "subset", "root")}
    return {
        "code": code_hash(),
        "commit": _commit(),
        "data": {**data, "fingerprint": fingerprint},
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "visible_devices": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "threads": config.hardware.threads,
        "devices": config.hardware.devices,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ImportError:
        return None


def _commit() -> str | None:
    """The commit of our checkout, `+` if tracked files differ from it; None outside of one."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    try:
        git = partial(subprocess.run, cwd=root, capture_output=True, text=True)
        commit = git(["git", "rev-parse", "HEAD"], check=True).stdout.strip()
        dirty = git(["git", "diff", "--quiet", "HEAD"]).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if dirty else "")

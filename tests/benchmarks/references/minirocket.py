"""MiniRocket with a linear head on the windows of a run, beside our models.

    python -m venv aeon && aeon/bin/pip install aeon
    python -m tests.benchmarks.references.minirocket aeon/bin/python [KEY=VALUE …]

aeon needs another NumPy than anomalynet, so it works in an environment of its own: windows go there
as files, and scores come back. The head is a logistic regression on standardised features; its
penalty is the one of five that ranks best on validation. Prints what `train` prints of a run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from anomalynet.config.load import load
from anomalynet.data import steps
from anomalynet.data.datamodule import TelemetryDataModule

CHUNK = 1 << 14  # windows that are transformed at a time
PENALTIES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # inverse strength of the penalty

IN_ITS_ENVIRONMENT = f"""
import sys
import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import StandardScaler

read = lambda name: np.load(f"{{sys.argv[1]}}/{{name}}.npy", mmap_mode="r")
seed, x, y = int(sys.argv[2]), np.array(read("train")), read("target")
rocket = MiniRocket(random_state=seed)
scaler = StandardScaler()
features = scaler.fit_transform(rocket.fit_transform(x)).astype(np.float32)

def scores(name, heads):
    windows = read(name)
    found = [[] for head in heads]
    for first in range(0, len(windows), {CHUNK}):
        seen = rocket.transform(np.array(windows[first:first + {CHUNK}]))
        seen = scaler.transform(seen).astype(np.float32)
        for own, head in zip(found, heads):
            own.append(head.decision_function(seen))
    return [np.concatenate(own) for own in found]

heads = [LogisticRegression(C=c, max_iter=300).fit(features, y) for c in {PENALTIES}]
label, found = read("validation_target"), scores("validation", heads)
known = label >= 0
ranks = [average_precision_score(label[known], own[known]) for own in found]
best = int(np.argmax(ranks))
print("penalty", {PENALTIES}[best], "validation AP", ranks[best])
np.save(sys.argv[1] + "/validation_scores.npy", found[best])
np.save(sys.argv[1] + "/test_scores.npy", scores("test", [heads[best]])[0])
"""


def main() -> None:
    """Export the windows, learn and score there, and print the metrics as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("python", help="of an environment with aeon")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE")
    args = parser.parse_args()
    config = load("cnn", args.overrides).config
    module = TelemetryDataModule(config)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x, target = module.learned(module.training_sample(config.training.classical_windows))
        np.save(folder / "train.npy", np.ascontiguousarray(x.transpose(0, 2, 1)))
        np.save(folder / "target.npy", target)
        for part in ("validation", "test"):
            windows = module.windows(part)
            ids = np.arange(len(windows), dtype=np.int64)
            shape = (len(windows), windows.shape[1], windows.shape[0])
            memory = np.lib.format.open_memmap(
                folder / f"{part}.npy", "w+", dtype=np.float32, shape=shape
            )
            for first in range(0, len(ids), CHUNK):
                some = ids[first : first + CHUNK]
                memory[some] = windows.gather(some).transpose(0, 2, 1)
            memory.flush()
            np.save(folder / f"{part}_target.npy", windows.targets(ids))
        command = [args.python, "-c", IN_ITS_ENVIRONMENT, name, str(config.seed)]
        subprocess.run(command, check=True)
        tables = [
            module.steps(part, np.load(folder / f"{part}_scores.npy"))
            for part in ("validation", "test")
        ]
    limit = steps.threshold(config.evaluation, tables[0], module.devices)
    found = steps.metrics(tables[1], limit, probability=False)
    known = {name: value for name, value in sorted(found.items()) if value is not None}
    print(json.dumps(known | {"seconds": round(time.monotonic() - began)}, indent=2))


if __name__ == "__main__":
    main()

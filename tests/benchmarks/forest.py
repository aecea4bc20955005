"""A random forest on SKAB under each calibration: the measurement behind the default of
`data.calibration`.

    python tests/benchmarks/forest.py FOLDER [--trees 100] [--assignments 3]

Whole runs held out, 5 folds pooled, every third step, last-step label. The choice is made on the
validation parts; the last rows train on every group outside the test part, validation groups
included, because a fixed threshold of 0.5 needs none of them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, roc_auc_score

from anomalynet.config.load import load_data_config
from anomalynet.config.schema import DataConfig
from anomalynet.data.prepare import prepare
from anomalynet.data.split.parts import Split, split
from anomalynet.data.split.ranges import Ranges
from anomalynet.data.statistics import statistics
from anomalynet.data.windows import Windows

STRIDE = 3
MODES = (("offset", 100), ("deviation", 100), ("none", 0))


def windows_of(
    found: Split, config: DataConfig, *parts: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int8]]:
    """Statistics (window, features) and targets of every third window of some parts."""
    ranges = [found.parts[part] for part in parts]
    rows = Ranges(
        np.concatenate([one.starts for one in ranges]),
        np.concatenate([one.stops for one in ranges]),
    )
    windows = Windows(found.prepared, rows, config.window, STRIDE).select((0, 1))
    return np.concatenate(
        [statistics(windows.gather(chunk)) for chunk in windows.chunks()]
    ), windows.targets()


def measure(
    config: DataConfig, trees: int, train: tuple[str, ...], scored: str
) -> tuple[float, float]:
    """AUROC and accuracy at 0.5 of the scored part, all folds pooled."""
    labels, scores = [], []
    for fold in range(config.split.folds):
        own = replace(config, split=replace(config.split, fold=fold))
        found = split(prepare(own), own)
        forest = RandomForestClassifier(trees, random_state=config.split.assignment).fit(
            *windows_of(found, own, *train)
        )
        features, target = windows_of(found, own, scored)
        labels.append(target)
        scores.append(forest.predict_proba(features)[:, 1])
    truth, score = np.concatenate(labels), np.concatenate(scores)
    return float(roc_auc_score(truth, score)), float(accuracy_score(truth, score >= 0.5))


def main() -> None:
    """Print one row a calibration."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="folder that holds SKAB")
    parser.add_argument("--trees", type=int, default=100)
    parser.add_argument("--assignments", type=int, default=3)
    args = parser.parse_args()
    for scored, train in (("validation", ("train",)), ("test", ("train", "validation"))):
        for mode, rows in MODES:
            keys = [
                f"data.root={args.folder}",
                f"data.calibration_rows={rows}",
                *([f"data.calibration={mode}"] if rows else []),
            ]
            config = load_data_config("skab", keys)
            found = []
            for assignment in range(args.assignments):
                found.append(
                    measure(
                        replace(config, split=replace(config.split, assignment=assignment)),
                        args.trees,
                        train,
                        scored,
                    )
                )
            aurocs, accuracies = zip(*found, strict=True)
            each = " ".join(f"{value:.3f}" for value in aurocs)
            print(
                f"{mode:<10} trained on {'+'.join(train):<17} scored on {scored:<11} AUROC "
                f"{np.mean(aurocs):.3f} ({each}) "
                f"accuracy at 0.5 {100 * np.mean(accuracies):.1f} %",
                flush=True,
            )


if __name__ == "__main__":
    main()

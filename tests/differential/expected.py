"""Differences from the baseline that are intended."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Expected:
    """Globs of a case, a file and a key, and why they differ."""

    case: str
    file: str
    key: str
    reason: str

    def matches(self, found: Difference) -> bool:
        """Whether it explains a difference."""
        pairs = ((found.case, self.case), (found.file, self.file), (found.key, self.key))
        return all(fnmatchcase(name, glob) for name, glob in pairs)


MADE_ANEW = "the id of a simulated data set is a hash of the simulator: its runs are made anew"
LISTED = f"{MADE_ANEW}; a sweep's record lists its runs by id"
NETWORK = (
    "architecture.json and architecture.csv are Lightning's summary; old files count as missing"
)
FINDINGS = "an ablation keeps its findings as findings.md; no CSV holds sentences"

EXPECTED: tuple[Expected, ...] = (
    Expected("*", "*", "*fingerprint", MADE_ANEW),
    Expected("sweep-only", "step 2 stdout", "*runs[[]*", LISTED),
    Expected("sweep-only", "runs/cnn_lstm/*", "id", LISTED),
    Expected("sweep-only", "runs/.sweeps/*", "runs[[]*", LISTED),
    Expected("*", "*/architecture.json", "*", NETWORK),
    Expected("*", "*/architecture.csv", "*", NETWORK),
    Expected("*", "*/architecture.parquet", "*", NETWORK),
    Expected("*", "*/figure_1_*", "*", NETWORK),
    Expected("*", "*findings.*", "*", FINDINGS),
    Expected("sweep-plan", "step 4", "exit code", "a W&B sweep is a plain grid"),
    Expected("check", "step 6 stdout", "*[[]2]", "the commit of the checkout that ran"),
    Expected(
        "*", "state/model.json", "model", "names the model file by its content, cost included"
    ),
    Expected(
        "detect-mqtt", "state/*", "exists", "the number of snapshots depends on the wall clock"
    ),
)

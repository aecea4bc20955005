"""Differences from the baseline that are intended."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Expected:
    """Globs of a case, a file and a key, and why they differ.

    Attributes:
        case: globs with commas between them, as the option --only; `file` too.
        within: greatest difference of two numbers, relative to 1 or to the larger of them; None:
            whatever differs.
    """

    case: str
    file: str
    key: str
    reason: str
    within: float | None = None

    def matches(self, found: Difference) -> bool:
        """Whether it explains a difference."""
        return (
            any(fnmatchcase(found.case, glob) for glob in self.case.split(","))
            and any(fnmatchcase(found.file, glob) for glob in self.file.split(","))
            and fnmatchcase(found.key, self.key)
            and (self.within is None or _close(found.old, found.new, self.within))
        )


def _close(old: str, new: str, within: float) -> bool:
    try:
        left, right = float(old), float(new)
    except ValueError:
        return False
    return abs(left - right) <= within * max(1.0, abs(left), abs(right))


MADE_ANEW = "the id of a simulated data set is a hash of the simulator: its runs are made anew"
LISTED = f"{MADE_ANEW}; a sweep's record lists its runs by id"
CLOCK = "the moment of a snapshot is the clock's"

EXPECTED = (
    Expected("*", "*stdout", "schema", "an object of --json begins with its version"),
    Expected("*", "*", "*fingerprint", MADE_ANEW),
    Expected("sweep-only", "step 2 stdout", "*runs[[]*", LISTED),
    Expected("sweep-only", "runs/cnn_lstm/*", "id", LISTED),
    Expected("sweep-only", "runs/.sweeps/*", "runs[[]*", LISTED),
    Expected("check", "step 6 stdout", "*[[]2]", "the commit of the checkout that ran"),
    Expected(
        "*", "state/model.json", "model", "names the model file by its content, cost included"
    ),
    Expected("detect-mqtt", "state/*", "exists", CLOCK),
    Expected("detect-mqtt", "state/snapshot-*", "*", CLOCK),
)
"""Each stays until the baseline is moved to a commit behind it."""

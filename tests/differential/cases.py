"""Every case by its name."""

from __future__ import annotations

from tests.differential.case import Case
from tests.differential.cases_data import DATA, ERRORS, IMPORTS
from tests.differential.cases_detect import DETECTION
from tests.differential.cases_runs import SWEEPS, TRAINING

GROUPS = (*TRAINING, *SWEEPS, *DETECTION, *DATA, *ERRORS, *IMPORTS)

CASES: dict[str, Case] = {case.name: case for case in GROUPS}

assert len(CASES) == len(GROUPS), "two cases share a name"

"""Puts what was measured into a baseline; what other environments measured is kept.

Source: not in the paper.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from anomalynet.gate.baseline import DEFAULTS, VERSION, Baseline, Entry, Environment
from anomalynet.gate.finding import Part
from anomalynet.gate.statistical import means
from anomalynet.gate.verdict import Measured, record


def updated(
    baseline: Baseline | None,
    measured: Measured,
    reason: str,
    date: str,
    whole: Mapping[Part, Iterable[str]],
) -> Baseline:
    """A baseline with one more update.

    Args:
        baseline: None for the first.
        measured: of this code; replaces what was known of its experiments in its environment.
        reason: for the history.
        date: `2026-01-05`.
        whole: part → all experiments that it has now; what the baseline knows of others goes. A
        part that is not here is left alone.
    """
    history = [] if baseline is None else list(baseline.history)
    goldens, repeated = record(measured, len(history) + 1)
    environments = {} if baseline is None else dict(baseline.environments)
    own = environments.get(measured.environment, Environment())
    environments[measured.environment] = Environment(
        {**own.golden, **goldens}, {**own.statistical, **repeated}
    )
    environments = {key: _without_gone(one, whole) for key, one in sorted(environments.items())}
    means_now = {name: means(runs) for name, (_, runs) in measured.statistical.items()}
    history.append(
        Entry(date, measured.commit, reason, measured.environment, measured.code, means_now)
    )
    return Baseline(
        VERSION, DEFAULTS if baseline is None else baseline.tolerances, environments, history
    )


def _without_gone(environment: Environment, whole: Mapping[Part, Iterable[str]]) -> Environment:
    golden, repeated = environment.golden, environment.statistical
    if "golden" in whole:
        golden = {name: golden[name] for name in sorted(golden) if name in set(whole["golden"])}
    if "statistical" in whole:
        repeated = {
            name: repeated[name] for name in sorted(repeated) if name in set(whole["statistical"])
        }
    return Environment(golden, repeated)

"""Writes the report of a search: `report.md`, `tables/trials.csv` and `figures/*`. The same trials
and runs give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.aggregate import ESTIMAND, RULE, ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import ReportContext, warnings
from anomalynet.reporting.formats import markdown, write_files
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.search_figures import TITLES, draw
from anomalynet.reporting.tables import scaled, to_csv
from anomalynet.runs.collect import RunRecord
from anomalynet.runs.scores import reading_once

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

TEST: tuple[str, ...] = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack")
TEST += ("precision_attack", "recall_attack", "event_recall_fold_mean")
TEST += ("false_alarms_per_device_day_fold_mean", "detection_delay_fold_mean")
"""Test metrics that are shown for the chosen trials."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """The state of a search."""

    name: str  # of the sweep
    question: str  # of the sweep's file
    settings: str  # sampler, seed and pruner as text
    repetitions: str  # the seeds, folds and worlds that a value is the mean of, as text
    objectives: Sequence[str]  # `validation/<metric>`, `latency` or `parameters`
    directions: Sequence[Literal["maximize", "minimize"]]  # of each objective
    wanted: int  # number of trials that the search should have
    trials: Sequence[FrozenTrial]  # trials so far, by index
    space: Mapping[str, BaseDistribution]  # key → values that were tried
    best: Sequence[int]  # indices of the best trial, or of the Pareto front
    records: Mapping[int, Sequence[RunRecord]]  # index of a best trial → its finished runs
    configurations: Mapping[int, str]  # index of a best trial → its file for `anomalynet train`
    exhausted: bool = False  # whether every point was tried


@reading_once()
def write_search_report(outcome: SearchOutcome, out: Path, title: str) -> Path:
    """Write the report of a search into the folder `out`, and return the path of its `report.md`,
    which is replaced last.

    Raises: RunError: the scores of a chosen trial's run cannot be read.
    """
    finished = [index for index in outcome.best if index in outcome.records]
    chosen = {index: _test_metrics(outcome.records[index]) for index in finished}
    files, missing = _figures(outcome)
    text = _document(outcome, title, chosen, files, missing)
    files = {**files, "tables/trials.csv": _csv(outcome).encode(), "report.md": text.encode()}
    return write_files(out, files)


def objective_title(objective: str) -> str:
    """The title of an objective with its unit."""
    if objective == "latency":
        return "Latency, µs per window"
    if objective == "parameters":
        return "Trained weights"
    name = objective.removeprefix("validation/")
    if name == "loss":
        return "Loss on validation"
    return f"{METRICS[name].title} on validation{markdown.unit(MEASURES[name].unit)}"


def objective_text(objective: str, value: float) -> str:
    """A value of an objective as text, without its unit."""
    if objective == "parameters":
        return f"{value:.0f}"
    name = objective.removeprefix("validation/")
    return MEASURES[name].text(value * MEASURES[name].scale) if name in METRICS else f"{value:.4g}"


def _test_metrics(records: Sequence[RunRecord]) -> ArmMetrics:
    """The test metrics of one trial's runs; only these runs are expected, so no fold is missing."""
    results = [record.result for record in records]
    expected = [(result.experiment, result.seed, result.fold, result.world) for result in results]
    found = [arm for arm in arms(records, expected) if arm.records]
    return aggregate(found[:1])[0]


def _figures(outcome: SearchOutcome) -> tuple[dict[str, bytes], dict[str, str]]:
    """Draw the figures from a copy of the trials in memory, with scaled values."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(directions=outcome.directions)
    names = [objective.removeprefix("validation/") for objective in outcome.objectives]
    scales = [MEASURES[name].scale if name in MEASURES else 1.0 for name in names]
    for trial in outcome.trials:
        values = [value * scale for value, scale in zip(trial.values or (), scales, strict=False)]
        shown = optuna.trial.create_trial(
            state=trial.state,
            values=values or None,
            params=dict(trial.params),
            distributions=trial.distributions,
        )
        study.add_trial(shown)
    titles = [objective_title(objective) for objective in outcome.objectives]
    return draw(study, titles, list(outcome.space))


def _document(
    outcome: SearchOutcome,
    title: str,
    chosen: Mapping[int, ArmMetrics],
    files: Mapping[str, bytes],
    missing: Mapping[str, str],
) -> str:
    parts = [
        f"# {title}",
        *([outcome.question[0].upper() + outcome.question[1:]] if outcome.question else []),
        _status(outcome),
        *(f"> **Warning.** {text}" for text in warnings(one.arm for one in chosen.values())),
        "## Best" if len(outcome.objectives) == 1 else "## Pareto front",
        *_best(outcome, chosen),
    ]
    shown = [name for name in TITLES if f"figures/search_{name}.svg" in files]
    if shown or missing:
        parts.append("## Figures")
    parts += [
        f"![{TITLES[name]}](figures/search_{name}.svg)\n\n{_caption(outcome, name)}"
        for name in shown
    ]
    parts += [f"No figure “{TITLES[name]}”: {reason}." for name, reason in missing.items()]
    parts += ["## Every trial", _trials(outcome), "Numbers: [trials.csv](tables/trials.csv)."]
    failed = [
        f"- Trial {index} failed: {_reason(trial)}"
        for index, trial in enumerate(outcome.trials)
        if trial.state.name == "FAIL"
    ]
    parts += ["\n".join(failed)] if failed else []
    return "\n\n".join(parts) + "\n"


def _status(outcome: SearchOutcome) -> str:
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
    counts = Counter(trial.state.name for trial in outcome.trials)
    parts = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    states = ", ".join(parts) or "none yet"
    end = " There are no more points: all have been tried." if outcome.exhausted else ""
    judged = " and ".join(objective_title(objective) for objective in outcome.objectives)
    return (
        f"{len(outcome.trials)} of {outcome.wanted} trials: {states}.{end} {outcome.settings} "
        f"Judged by {judged}: the mean over {outcome.repetitions}. Values of trials are measured "
        "on the validation part, where the best of many trials is better than it will be on other "
        "data. Test metrics are shown only for the chosen trials; they were not used to choose."
    )


def _best(outcome: SearchOutcome, chosen: Mapping[int, ArmMetrics]) -> list[str]:
    if not outcome.best:
        return ["No trial is complete."]
    parts = []
    for index in outcome.best:
        trial = outcome.trials[index]
        values = ", ".join(
            f"{objective_title(objective)}: {objective_text(objective, value)}"
            for objective, value in zip(outcome.objectives, trial.values, strict=True)
        )
        file = outcome.configurations.get(index)
        train = f" Train it with `anomalynet train` and [{file}]({file})." if file else ""
        rows = [[f"`{key}`", _plain(value)] for key, value in trial.params.items()]
        parts.append(f"**Trial {index}.** {values}.{train}")
        parts.append(markdown.grid(["Key", "chosen"], rows, "lr"))
        if index in chosen:
            parts.append(_test_table(chosen[index]))
            facts = ReportContext.of([chosen[index]]).facts()
            parts.append(f"> **Test metrics of trial {index}.** {ESTIMAND} {facts}")
        else:
            parts.append("Its runs and their test metrics are on another machine.")
    return [*parts, RULE]


def _test_table(metrics: ArmMetrics) -> str:
    rows = []
    for name in TEST:
        summary, measure = metrics.summary(name), MEASURES[name]
        text = measure.text(*scaled(summary, measure.scale))
        rows.append([measure.title + markdown.unit(measure.unit), text, str(summary.n)])
    return markdown.grid(["On the test part", "mean ± spread", "n"], rows, "lrr")


def _caption(outcome: SearchOutcome, name: str) -> str:
    complete = sum(trial.state.name == "COMPLETE" for trial in outcome.trials)
    doubtful = name == "importances" and complete < 10 * len(outcome.space)
    few = " With so few trials this is only a hint." if doubtful else ""
    return (
        f"> **{TITLES[name]}.** Validation part, mean over {outcome.repetitions}; {complete} "
        f"complete trials.{few}"
    )


def _trials(outcome: SearchOutcome) -> str:
    titles = [objective_title(objective) for objective in outcome.objectives]
    header = ["Trial", "state", *titles, *(f"`{key}`" for key in outcome.space)]
    rows = []
    for index, (state, values, own) in enumerate(_rows(outcome)):
        shown = [
            "–" if value is None else objective_text(name, value)
            for name, value in zip(outcome.objectives, values, strict=True)
        ]
        mark = "**" if index in outcome.best else ""
        rows.append([f"{mark}{index}{mark}", state, *shown, *own])
    return markdown.grid(header, rows, "rl" + "r" * (len(header) - 2))


def _csv(outcome: SearchOutcome) -> str:
    header = ["trial", "state", *outcome.objectives, *outcome.space, "runs", "reason"]
    rows: list[list[object]] = []
    for trial, (state, values, own) in zip(outcome.trials, _rows(outcome), strict=True):
        shown = ("" if value is None else repr(value) for value in values)
        runs = " ".join(trial.user_attrs.get("runs", []))
        rows.append([len(rows), state, *shown, *own, runs, _reason(trial)])
    return to_csv(header, rows)


def _rows(outcome: SearchOutcome) -> Iterator[tuple[str, Sequence[float | None], list[str]]]:
    """State, values and parameters of each trial."""
    for trial in outcome.trials:
        values = trial.values or [None] * len(outcome.objectives)
        yield trial.state.name.lower(), values, [_plain(trial.params[key]) for key in outcome.space]


def _reason(trial: FrozenTrial) -> str:
    lines = str(trial.user_attrs.get("reason", "")).strip().splitlines()
    return lines[0] if lines else ""


def _plain(value: object) -> str:
    """A value as YAML writes it."""
    return {"True": "true", "False": "false", "None": "null"}.get(str(value), str(value))

"""Writes the report of a search: `report.md`, `tables/trials.csv` and `figures/*`. The same trials
and runs give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anomalynet.errors import counted
from anomalynet.metrics.kernels import NAN
from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.aggregate import ArmMetrics, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import ReportContext, bullets
from anomalynet.reporting.formats import markdown
from anomalynet.reporting.formats.files import write_files
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.prose import capital, conditions
from anomalynet.reporting.search_figures import TITLES, draw
from anomalynet.reporting.tables import Row, csv_file, defined, metric_text
from anomalynet.runs.collect import RunRecord

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

TEST: tuple[str, ...] = ("average_precision_fold_mean", "auroc_fold_mean", "f1_attack")
TEST += ("precision_attack", "recall_attack", "event_recall_fold_mean")
TEST += ("false_alarms_per_device_day_fold_mean", "detection_delay_fold_mean")
"""Test metrics that are shown for the chosen trials and the untuned reference."""
CHOSEN = ("trial", "metric", "mean", "spread", "n")
MOST_SHOWN = 5  # columns of chosen trials and the reference

UNTUNED = -1  # instead of an index of a trial: the reference
Models = dict[int, ArmMetrics]  # index of a chosen trial, or `UNTUNED` → its test metrics


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """The state of a search."""

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
    reference: Sequence[RunRecord] = ()  # finished runs of the experiment as it was before
    command: str = ""  # that makes the report again
    preset: str = ""  # the preset of `configurations`; empty if it is that of the search


def write_search_report(outcome: SearchOutcome, out: Path, title: str) -> Path:
    """Write the report of a search into the folder `out`, and return the path of its `report.md`,
    which is replaced last."""
    known = [index for index in outcome.best if index in outcome.records]
    models: Models = {index: _test_metrics(outcome.records[index]) for index in known}
    if outcome.reference:
        models[UNTUNED] = _test_metrics(outcome.reference)
    drawn, missing = _figures(outcome)
    columns = ["trial", "state", *outcome.objectives, *outcome.space, "runs", "reason"]
    files = {
        **drawn,
        **csv_file("trials", _trials(outcome), columns),
        **csv_file("chosen", _chosen(outcome, models), CHOSEN),
        "report.md": _document(outcome, title, models, drawn, missing).encode(),
    }
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


def _scale(objective: str) -> float:
    name = objective.removeprefix("validation/")
    return MEASURES[name].scale if name in METRICS else 1.0


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
    scales = list(map(_scale, outcome.objectives))
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
    return draw(study, titles, list(outcome.space), f"{outcome.settings} {outcome.repetitions}")


def _document(
    outcome: SearchOutcome,
    title: str,
    models: Models,
    files: Mapping[str, bytes],
    missing: Mapping[str, str],
) -> str:
    measured = list(models.values())
    shown = [name for name in TITLES if f"figures/search_{name}.svg" in files]
    again = f" `{outcome.command}` makes this report again." if outcome.command else ""
    context = ReportContext.of(measured[:1])
    parts = [
        f"# {title}",
        _verdict(outcome, models),
        f"*{capital(outcome.question)}*" if outcome.question else "",
        bullets(ReportContext.of(measured).warnings()),
        _table(outcome, models),
        _meaning(outcome, models),
        *(_image(outcome, name) for name in shown if name in ("history", "pareto")),
        f"**Run:** {_status(outcome)}{again}",
        "## The best" if outcome.best else "",
        *_best(outcome, models),
        "## Figures" if shown or missing else "",
        *(_image(outcome, name) for name in shown if name not in ("history", "pareto")),
        *(f"No figure “{TITLES[name]}”: {reason}." for name, reason in missing.items()),
        "Every trial: [trials.csv](tables/trials.csv).",
        "\n".join(
            f"- Trial {index} failed: {_reason(trial)}"
            for index, trial in enumerate(outcome.trials)
            if trial.state.name == "FAIL"
        ),
        *(["## Conditions", *conditions(context, listed=False)] if models else []),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _verdict(outcome: SearchOutcome, models: Models) -> str:
    """Which trial is best, what it reaches on validation and test, and beside the reference."""
    if not outcome.best:
        return "**No trial is complete.**"
    index, name = outcome.best[0], TEST[0]
    values = ", ".join(
        f"{objective_title(objective)}: {objective_text(objective, value)}"
        for objective, value in zip(outcome.objectives, outcome.trials[index].values, strict=True)
    )
    if len(outcome.best) > 1:
        found = f"**{len(outcome.best)} trials form the Pareto front**; trial {index} has {values}."
    else:
        found = f"**Trial {index} is best** of {len(outcome.trials)}: {values}."
    if index not in models:
        return f"{found} Its runs are on another machine."
    own = models[index].summary(name)
    found += f" On the test part it reaches {metric_text(name, own)} % average precision"
    if UNTUNED not in models:
        return f"{found}; there is no untuned run to compare it with."
    before = models[UNTUNED].summary(name)
    gain = f"{100 * (own.mean - before.mean):+.2f}".replace("-", "−")
    few = f"**Not certain**: {counted(own.n, 'repetition')}, and one choice among many"
    return f"{found}, {gain} points against the untuned {metric_text(name, before)} %. {few}."


def _meaning(outcome: SearchOutcome, models: Models) -> str:
    """Why a value on validation is not that on test."""
    text = (
        "The value on validation is the best of many and therefore too good; it and the test part "
        "also hold other incidents. Test metrics chose nothing."
    )
    own = _validation(outcome)
    if own is None or not outcome.objectives[0].endswith("average_precision"):
        return text
    test = metric_text(TEST[0], models[UNTUNED].summary(TEST[0]))
    shown = objective_text(outcome.objectives[0], own)
    return (
        f"{text} The untuned reference, which nothing chose, has {shown} there and {test} on test."
    )


def _validation(outcome: SearchOutcome) -> float | None:
    """The first objective of the untuned reference, if it is a validation metric."""
    found = [one.result.metrics.get(outcome.objectives[0]) for one in outcome.reference]
    values = [value for value in found if value is not None]
    return sum(values) / len(values) if values and len(values) == len(found) else None


def _name(index: int) -> str:
    return "untuned" if index == UNTUNED else f"trial {index}"


def _values(outcome: SearchOutcome, models: Models, objective: str) -> dict[int, float]:
    """The values of an objective that are known; of the reference only the first."""
    at = outcome.objectives.index(objective)
    values = {index: outcome.trials[index].values[at] for index in models if index != UNTUNED}
    own = _validation(outcome) if at == 0 else None
    return values if own is None else values | {UNTUNED: own}


def _chosen(outcome: SearchOutcome, models: Models) -> Iterator[Row]:
    """The numbers of the table for every chosen trial and the reference."""

    def row(name: str, metric: str, mean: float, spread: float = NAN, n: int = 1) -> Row:
        values = {"mean": defined(mean), "spread": defined(spread), "n": n}
        return {"trial": name, "metric": metric, **values}

    for objective in outcome.objectives:
        for index, value in _values(outcome, models, objective).items():
            yield row(_name(index), objective, value * _scale(objective))
    for metric, (index, one) in product(TEST, models.items()):
        summary, scale = one.summary(metric), MEASURES[metric].scale
        numbers = summary.mean * scale, summary.spread * scale, summary.n
        yield row(_name(index), f"test/{metric}", *numbers)
    for index, one in models.items() if UNTUNED in models else ():
        if index != UNTUNED:
            gain = one.summary(TEST[0]).mean - models[UNTUNED].summary(TEST[0]).mean
            yield row(f"{_name(index)} minus untuned", f"test/{TEST[0]}", 100 * gain)


def _table(outcome: SearchOutcome, models: Models) -> str:
    """A line per metric, a column per chosen trial (the first ones) and for the reference."""
    if not models:
        return ""
    shown = list(models)
    if len(shown) > MOST_SHOWN:
        shown = [*shown[: MOST_SHOWN - 1], shown[-1]]
    lines = []
    for objective in outcome.objectives:
        own = _values(outcome, models, objective)
        cells = [objective_text(objective, own[at]) if at in own else "–" for at in shown]
        lines.append([objective_title(objective), *cells])
    for metric in TEST:
        cells = [metric_text(metric, models[at].summary(metric)) for at in shown]
        lines.append([f"{markdown.metric_title(metric)}, test", *cells])
    caption = "> **The best beside the untuned reference.** Mean ± standard deviation over "
    caption += "repetitions. Numbers: [chosen.csv](tables/chosen.csv)."
    table = markdown.grid(["Metric", *map(_name, shown)], lines, "l" + "r" * len(shown))
    return f"{table}\n\n{caption}"


def _status(outcome: SearchOutcome) -> str:
    words = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
    counts = Counter(trial.state.name for trial in outcome.trials)
    parts = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    states = ", ".join(parts) or "none yet"
    end = " There are no more points: all have been tried." if outcome.exhausted else ""
    return (
        f"{len(outcome.trials)} of {outcome.wanted} trials: {states}.{end} {outcome.settings} "
        f"Each value is the mean over {outcome.repetitions}."
    )


def _best(outcome: SearchOutcome, models: Models) -> Iterator[str]:
    """The values of the best trials, a column each, with their files."""
    if not outcome.best:
        return
    rows = [
        [f"`{key}`", *(_plain(outcome.trials[index].params.get(key)) for index in outcome.best)]
        for key in outcome.space
    ]
    yield markdown.grid(["Key", *(f"trial {index}" for index in outcome.best)], rows)
    preset = f", with the preset {outcome.preset}" if outcome.preset else ""
    for index in outcome.best:
        file = outcome.configurations.get(index)
        train = f" `anomalynet train` with [{file}]({file}) trains it{preset}." if file else ""
        away = "" if index in models else " Its runs and test metrics are on another machine."
        if train or away:
            yield f"**Trial {index}.**{train}{away}"


def _image(outcome: SearchOutcome, name: str) -> str:
    complete = sum(trial.state.name == "COMPLETE" for trial in outcome.trials)
    doubtful = name == "importances" and complete < 10 * len(outcome.space)
    few = " With so few trials this is only a hint." if doubtful else ""
    image = f"![{TITLES[name]}](figures/search_{name}.svg)"
    return f"{image}\n\n> **{TITLES[name]}.** Validation part; {complete} complete trials.{few}"


def _trials(outcome: SearchOutcome) -> Iterator[Row]:
    """State, values and parameters of each trial."""
    for index, trial in enumerate(outcome.trials):
        values = trial.values or [None] * len(outcome.objectives)
        shown = ("" if value is None else repr(value) for value in values)
        own = {key: _plain(trial.params[key]) for key in outcome.space}
        head = {"trial": index, "state": trial.state.name.lower()}
        last = {"runs": " ".join(trial.user_attrs.get("runs", [])), "reason": _reason(trial)}
        yield {**head, **dict(zip(outcome.objectives, shown, strict=True)), **own, **last}


def _reason(trial: FrozenTrial) -> str:
    lines = str(trial.user_attrs.get("reason", "")).strip().splitlines()
    return lines[0] if lines else ""


def _plain(value: object) -> str:
    """A value as YAML writes it."""
    return {"True": "true", "False": "false", "None": "null"}.get(str(value), str(value))

"""Writes the report of a search: `report.md`, `tables/trials.csv` and `figures/*`. The same trials
and runs give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from anomalynet.metrics.suite import METRICS
from anomalynet.reporting.aggregate import ArmMetrics, Summary, aggregate
from anomalynet.reporting.arms import arms
from anomalynet.reporting.captions import ReportContext, warnings
from anomalynet.reporting.formats import markdown, write_files
from anomalynet.reporting.measures import MEASURES
from anomalynet.reporting.prose import conditions
from anomalynet.reporting.search_figures import TITLES, draw
from anomalynet.reporting.tables import scaled, to_csv
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
    reference: Sequence[RunRecord] = ()  # finished runs of the experiment as it was before
    command: str = ""  # that makes the report again
    preset: str = ""  # the preset of `configurations`; empty if it is that of the search


def write_search_report(outcome: SearchOutcome, out: Path, title: str) -> Path:
    """Write the report of a search into the folder `out`, and return the path of its `report.md`,
    which is replaced last.

    Raises: RunError: the scores of a chosen trial's run cannot be read.
    """
    chosen = {
        index: _test_metrics(outcome.records[index])
        for index in outcome.best
        if index in outcome.records
    }
    untuned = _test_metrics(outcome.reference) if outcome.reference else None
    drawn, missing = _figures(outcome)
    text, table = _document(outcome, title, chosen, untuned, drawn, missing)
    files = {
        **drawn,
        "tables/trials.csv": _csv(outcome).encode(),
        "tables/chosen.csv": table.encode(),
    }
    return write_files(out, {**files, "report.md": text.encode()})


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
    chosen: Mapping[int, ArmMetrics],
    untuned: ArmMetrics | None,
    files: Mapping[str, bytes],
    missing: Mapping[str, str],
) -> tuple[str, str]:
    """The report, and the CSV of its table of chosen trials."""
    models = [*chosen.values(), *([untuned] if untuned else [])]
    table, csv = _table(outcome, chosen, untuned)
    shown = [name for name in TITLES if f"figures/search_{name}.svg" in files]
    again = f" `{outcome.command}` makes this report again." if outcome.command else ""
    context = ReportContext.of(models[:1])
    parts = [
        f"# {title}",
        _verdict(outcome, chosen, untuned),
        f"*{outcome.question[0].upper()}{outcome.question[1:]}*" if outcome.question else "",
        "\n".join(f"- ⚠ {text}" for text in warnings(one.arm for one in models)),
        table,
        _meaning(outcome, untuned),
        *(_image(outcome, name) for name in shown if name in ("history", "pareto")),
        f"**Run:** {_status(outcome)}{again}",
        "## The best" if outcome.best else "",
        *_best(outcome, chosen),
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
    return "\n\n".join(filter(None, parts)) + "\n", csv


def _verdict(
    outcome: SearchOutcome, chosen: Mapping[int, ArmMetrics], untuned: ArmMetrics | None
) -> str:
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
    if index not in chosen:
        return f"{found} Its runs are on another machine."
    own = chosen[index].summary(name)
    found += f" On the test part it reaches {_text(name, own)} % average precision"
    if untuned is None:
        return f"{found}; there is no untuned run to compare it with."
    before = untuned.summary(name)
    gain = f"{100 * (own.mean - before.mean):+.2f}".replace("-", "−")
    few = f"**Not certain**: {own.n} repetition{'s' * (own.n != 1)}, and one choice among many"
    return f"{found}, {gain} points against the untuned {_text(name, before)} %. {few}."


def _meaning(outcome: SearchOutcome, untuned: ArmMetrics | None) -> str:
    """Why a value on validation is not that on test."""
    text = (
        "The value on validation is the best of many and therefore too good; it and the test part "
        "also hold other incidents. Test metrics chose nothing."
    )
    own = _validation(outcome)
    if untuned is None or own is None or not outcome.objectives[0].endswith("average_precision"):
        return text
    test = _text(TEST[0], untuned.summary(TEST[0]))
    shown = objective_text(outcome.objectives[0], own)
    return (
        f"{text} The untuned reference, which nothing chose, has {shown} there and {test} on test."
    )


def _validation(outcome: SearchOutcome) -> float | None:
    """The first objective of the untuned reference, if it is a validation metric."""
    found = [one.result.metrics.get(outcome.objectives[0]) for one in outcome.reference]
    values = [value for value in found if value is not None]
    return sum(values) / len(values) if values and len(values) == len(found) else None


def _text(name: str, summary: Summary) -> str:
    return MEASURES[name].text(*scaled(summary, MEASURES[name].scale))


def _table(
    outcome: SearchOutcome, chosen: Mapping[int, ArmMetrics], untuned: ArmMetrics | None
) -> tuple[str, str]:
    """A line per metric, a column per chosen trial (the first ones) and for the reference; and the
    same as CSV with all."""
    columns = {f"trial {index}": one for index, one in chosen.items()}
    columns |= {"untuned": untuned} if untuned else {}
    if not columns:
        return "", to_csv(CHOSEN, ())
    shown = (
        [*list(columns)[: MOST_SHOWN - 1], list(columns)[-1]]
        if len(columns) > MOST_SHOWN
        else [*columns]
    )
    lines, rows = list[list[str]](), list[list[object]]()
    for objective in outcome.objectives:
        own: dict[str, float | None] = {
            f"trial {index}": outcome.trials[index].values[outcome.objectives.index(objective)]
            for index in chosen
        }
        own |= {"untuned": _validation(outcome)} if objective == outcome.objectives[0] else {}
        cells = [own.get(name) for name in shown]
        texts = ["–" if value is None else objective_text(objective, value) for value in cells]
        lines.append([objective_title(objective), *texts])
        scale = _scale(objective)
        known = {name: value for name, value in own.items() if value is not None}
        rows += [[name, objective, value * scale, None, 1] for name, value in known.items()]
    for name in TEST:
        measure = MEASURES[name]
        lines.append([f"{measure.title}{markdown.unit(measure.unit)}, test"])
        lines[-1] += [_text(name, columns[each].summary(name)) for each in shown]
        for each, one in columns.items():
            summary = one.summary(name)
            rows.append([each, f"test/{name}", *scaled(summary, measure.scale), summary.n])
    if untuned and chosen:
        gains = {index: one.summary(TEST[0]).mean for index, one in chosen.items()}
        mean = untuned.summary(TEST[0]).mean
        rows += [
            [f"trial {index} minus untuned", f"test/{TEST[0]}", 100 * (own - mean), None, 1]
            for index, own in gains.items()
        ]
    caption = "> **The best beside the untuned reference.** Mean ± standard deviation over "
    caption += "repetitions. Numbers: [chosen.csv](tables/chosen.csv)."
    table = markdown.grid(["Metric", *shown], lines, "l" + "r" * len(shown))
    return f"{table}\n\n{caption}", to_csv(CHOSEN, rows)


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


def _best(outcome: SearchOutcome, chosen: Mapping[int, ArmMetrics]) -> Iterator[str]:
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
        away = "" if index in chosen else " Its runs and test metrics are on another machine."
        if train or away:
            yield f"**Trial {index}.**{train}{away}"


def _image(outcome: SearchOutcome, name: str) -> str:
    complete = sum(trial.state.name == "COMPLETE" for trial in outcome.trials)
    doubtful = name == "importances" and complete < 10 * len(outcome.space)
    few = " With so few trials this is only a hint." if doubtful else ""
    image = f"![{TITLES[name]}](figures/search_{name}.svg)"
    return f"{image}\n\n> **{TITLES[name]}.** Validation part; {complete} complete trials.{few}"


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

"""The section "Detection over time" of a report."""

from __future__ import annotations

from collections.abc import Sequence

from anomalynet.reporting import captions
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.over_time import figure as drawing
from anomalynet.reporting.over_time import tables
from anomalynet.reporting.over_time.measured import (
    MODEL,
    RANDOM,
    WIDEST_BUFFER,
    ArmTimeline,
    timeline_of,
)
from anomalynet.reporting.section import Section, caption, figure

TITLE, ADJUSTED_TITLE = (
    "Detection over time",
    "Point-adjusted, for comparison with papers that use it",
)

NOTE = f"""\
An incident is a range of steps, and its borders are not exact; these metrics know that. Higher is \
better, but for delays and the share undetected.

- *VUS-PR*, *VUS-ROC* (Paparrizos et al. 2022): areas under the curves of labels whose ranges grow \
a buffer, averaged over its width from 0 to the median length of a range, at most {WIDEST_BUFFER} \
steps; every score is a threshold. Of scored steps alone. Random scores may reach more than 50 % \
of VUS-ROC.
- *Range* precision and recall (Tatbul et al. 2018; α 0, flat, one over the number of pieces): \
each range counts once, long or short.
- *Affiliation* precision and recall (Huet et al. 2022): how near alarms and attacks are; random \
alarms reach 50 % precision, and frequent ones a recall near 100 %. It does not see alarms in a \
recording without attack; the CSV says what share they are.
- *Event recall at 1 and 10 false alarms a day*: at the lowest threshold from which on, upwards, \
the *test* part raises no more. A diagnosis, never an operating point: no operator has these \
thresholds. A day is one of one series; neighbouring alarmed steps are one alarm. By this count to \
be always on is one cheap alarm a recording, so that line has no value here.
- *Delay*: from an incident's first step to its first alarm, at the run's own threshold, within \
which 50 % and 90 % of the *detected* incidents are. Read it beside the share undetected: who \
finds only what is easy is fast.

A labelled step without a score raises no alarm. No range, buffer or zone reaches over the end of \
a recording or a gap. VUS and event recall at a budget are means over folds, whose scores need not \
share a scale; all else is computed once from the ranges and incidents of all folds of a \
repetition, an incident that several folds test being several. Mean ± standard deviation over \
repetitions."""


def over_time_section(models: Sequence[ArmMetrics], data: str) -> Section:
    """Tables, figure and CSV of detection over time, for the models that have runs; nothing where
    none has.

    Args:
        models: the arms of a report.
        data: name of the data set, for the CSV.

    Raises:
        RunError: a run's scores cannot be read.
    """
    run = [one for one in models if one.values]
    if not run:
        return Section()
    timelines = [timeline_of(one) for one in run]
    signs = captions.marks([one.arm for one in models])
    reasons = tables.reasons(timelines)
    parts = [
        f"## {TITLE}",
        NOTE,
        tables.main_table(timelines, signs),
        *(["\n".join(f"- {reason}" for reason in reasons)] if reasons else []),
        caption(TITLE, run, models, "over_time.csv"),
        figure(drawing.NAME, drawing.TITLE, run, models),
        "Numbers: [over_time_budgets.csv](tables/over_time_budgets.csv).",
        f"### {ADJUSTED_TITLE}",
        _inflated(timelines),
        tables.adjusted_table(timelines, signs),
        caption(ADJUSTED_TITLE, run, models, "over_time.csv"),
    ]
    files = {
        "tables/over_time.csv": tables.csv(timelines, data).encode(),
        "tables/over_time_budgets.csv": tables.curves_csv(timelines, data).encode(),
        **{f"figures/{name}": content for name, content in drawing.draw(timelines).items()},
    }
    return Section(parts, files)


def _inflated(timelines: Sequence[ArmTimeline]) -> str:
    """Why these metrics are inflated, with what random alarms reach here."""
    known = [
        (one.summary(MODEL, "pa_f1").mean, one.summary(RANDOM, "pa_f1").mean) for one in timelines
    ]
    ahead = sum(random > model for model, random in known)
    return (
        "Point adjustment counts a whole range of attack as found where one of its steps is "
        "alarmed, so that alarms strewn at random are paid for a range each: here they reach a "
        f"higher PA-F1 than the model that alarms as often for {ahead} of {len(known)} "
        f"model{'s' if len(known) != 1 else ''}. *PA%20* adjusts only ranges of which more than "
        "20 % is alarmed, *PA%K* is averaged over K = 0 … 100 (Kim et al. 2022). *Random* draws "
        "as many alarms as the model raises."
    )

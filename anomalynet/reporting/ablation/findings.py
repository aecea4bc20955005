"""`tables/findings.csv`: the sentences of an ablation, for reports that quote it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from anomalynet.reporting import captions
from anomalynet.reporting.ablation import sentences
from anomalynet.reporting.ablation.arms import MeasuredArm
from anomalynet.reporting.ablation.comparison import Comparison
from anomalynet.reporting.ablation.design import Ablation
from anomalynet.reporting.ablation.effects import Effect
from anomalynet.reporting.tables import to_csv

COLUMNS = ("sweep", "question", "data", "family", "sentence")
AGAINST, ARM, MAIN, INTERACTION, NOTICE, FACTS, NOTE = (
    "against",
    "arm",
    "main effect",
    "interaction",
    "notice",
    "facts",
    "note",
)
"""What a sentence is about; a notice says that no test of the family before it could pass."""


def findings_csv(
    ablation: Ablation,
    arms: Sequence[MeasuredArm],
    comparisons: Sequence[Comparison],
    main: Sequence[Effect],
    interactions: Sequence[Effect],
    against: str,
    notes: Iterable[str],
) -> str:
    """One line a sentence, in the order and the words of the report.

    Args:
        against: what the arms are compared with, and by which metric.
        notes: what is missing, and runs that other code made.
    """
    data = "; ".join(sorted({record.result.data for arm in arms for record in arm.runs.values()}))
    metrics = [arm.metrics for arm in arms]
    lines = [
        (AGAINST, against),
        *((ARM, sentences.arm_sentence(one, ablation.measured)) for one in comparisons),
        *_notice(comparisons, ARM),
        *_effects(main, MAIN, ablation.measured),
        *_effects(interactions, INTERACTION, ablation.measured),
        (FACTS, captions.facts(metrics)),
        *((NOTE, note) for note in notes),
        *((NOTE, f"⚠ {warning}") for warning in captions.warnings(one.arm for one in metrics)),
    ]
    return to_csv(COLUMNS, ([ablation.name, ablation.question, data, *line] for line in lines))


def _notice(
    contrasts: Iterable[Comparison] | Iterable[Effect], noun: str
) -> Iterator[tuple[str, str]]:
    if text := sentences.notice(
        [one.contrast for one in contrasts if one.contrast is not None], noun
    ):
        yield NOTICE, text


def _effects(effects: Sequence[Effect], noun: str, metric: str) -> Iterator[tuple[str, str]]:
    if effects:
        yield from ((noun, sentences.effect_sentence(one, metric)) for one in effects if one.wanted)
        yield from _notice(effects, noun)

"""The section of Figure 1: the hybrid from its traced graph, the other networks beside it, and the
parts as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from anomalynet.reporting import markdown
from anomalynet.reporting.aggregate import ArmMetrics
from anomalynet.reporting.architecture.figure import (
    Drawn,
    count_text,
    draw,
    layers_text,
    shape_text,
)
from anomalynet.reporting.architecture.graph import INPUT, Network, Part, read_network
from anomalynet.reporting.section import Section, figure
from anomalynet.reporting.tables import to_csv

MAIN, OTHERS = "figure_1_architecture", "figure_1_other_networks"
TITLE, OTHERS_TITLE = "Figure 1. Architecture of the hybrid", "Architecture of the other networks"
COLUMNS = ("model", "data", "run", "part", "kind", "layers", "from", "output", "parameters")

NOTE = (
    "Drawn from the modules that computed, not from a plan: each box is a part of the network "
    "with what it returns and how many weights it trains; an arrow says that values of one part "
    "enter the other, also through operations in between (such as the reconstruction error, made "
    "from the autoencoder's output and the window)."
)


@dataclass(frozen=True, slots=True)
class _Traced:
    """An arm with the graph that most of its runs have, one of those runs, and how the other runs
    stand."""

    one: ArmMetrics
    network: Network
    run: str
    others: str


def figure_1_section(models: Sequence[ArmMetrics], data: str) -> Section:
    """Figure 1 and its tables; nothing where the report is of no network.

    Raises:
        RunError: a run's graph is damaged.
    """
    if not any(record.result.epochs is not None for one in models for record in one.arm.records):
        return Section()
    traced = [found for one in models if (found := _traced(one))]
    main = next((found for found in traced if found.one.arm.experiment == "hybrid"), None)
    others = [found for found in traced if found is not main]
    parts, files = [f"### {TITLE}"], dict[str, bytes]()
    if main is None:
        parts.append(
            "No run of the hybrid has kept its network's graph: there is none, or it was made by "
            "an earlier version."
        )
    if traced:
        parts.append(NOTE)
    for name, title, shown in (
        (MAIN, TITLE, [main] if main else []),
        (OTHERS, OTHERS_TITLE, others),
    ):
        if shown:
            parts.append(
                figure(name, title, [found.one for found in shown], models, note=_sentence(shown))
            )
            drawn = [
                Drawn(
                    f"{found.one.arm.title}: {count_text(found.network.parameters)} parameters",
                    found.network,
                )
                for found in shown
            ]
            files |= {
                f"figures/{file}": content for file, content in draw(name, title, drawn).items()
            }
    if main:
        parts.append(_parts(main.network))
    if traced:
        files["tables/architecture.csv"] = _csv(traced, data)
        parts.append("The parts of every network: [architecture.csv](tables/architecture.csv).")
    return Section(parts, files)


def _traced(one: ArmMetrics) -> _Traced | None:
    """The commonest graph of an arm's runs; of several as common, that of the first run."""
    found = [
        (record, network) for record in one.arm.records if (network := read_network(record.folder))
    ]
    if not found:
        return None
    counts = Counter(network for _, network in found)
    usual, same = counts.most_common(1)[0]
    first = next(record for record, network in found if network == usual)
    other, none = len(found) - same, len(one.arm.records) - len(found)
    told = [
        *([f"{other} with another graph"] if other else []),
        *([f"{none} without a graph"] if none else []),
    ]
    return _Traced(one, usual, f"{first.result.experiment}/{first.result.id}", " and ".join(told))


def _sentence(shown: Sequence[_Traced]) -> str:
    """Which run each network was traced in, and its parameters."""

    def told(found: _Traced) -> str:
        name = f"{found.one.arm.title}: {count_text(found.network.parameters)} parameters"
        beside = f" (beside {found.others})" if found.others else ""
        return f"{name}, traced in run `{found.run}`{beside}"

    return "; ".join(told(found) for found in shown) + "."


def _sources(network: Network, part: Part) -> str:
    return ", ".join(
        "input" if source == INPUT else source for source in network.sources(part.name)
    )


def _parts(network: Network) -> str:
    lines = [
        [
            f"`{part.name}`",
            part.kind,
            layers_text(part),
            _sources(network, part),
            shape_text(part),
            count_text(part.parameters),
        ]
        for part in network.parts
    ]
    total = ["**all**", "", "", "", "", f"**{count_text(network.parameters)}**"]
    return markdown.grid(
        ["Part", "kind", "layers", "from", "output", "parameters"], [*lines, total], "lllllr"
    )


def _csv(traced: Sequence[_Traced], data: str) -> bytes:
    def row(found: _Traced, part: Part) -> tuple[object, ...]:
        told = (layers_text(part), _sources(found.network, part), shape_text(part), part.parameters)
        return (found.one.arm.name, data, found.run, part.name, part.kind, *told)

    rows = [row(found, part) for found in traced for part in found.network.parts]
    return to_csv(COLUMNS, rows).encode()

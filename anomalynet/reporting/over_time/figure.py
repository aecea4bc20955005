"""Event recall against false alarms a day, and how soon incidents are detected: one line a model,
two for detectors that see nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalynet.reporting.captions import marks, short_facts
from anomalynet.reporting.figures import encode, foot, style
from anomalynet.reporting.over_time.measured import ALWAYS_ON, BUDGETS, MODEL, RANDOM, ArmTimeline
from anomalynet.reporting.over_time.tables import beside, curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from anomalynet.reporting.range_metrics.stretches import Floats

NAME, TITLE = "over_time", "Event recall by false alarms a day, and by delay"

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = "osD^vP*X<>hd"
"""Okabe–Ito colours, told apart without colour by markers: line k has the k-th of each, and their
numbers share no factor."""


def draw(timelines: Sequence[ArmTimeline]) -> dict[str, bytes]:
    """The figure as file name → content, SVG and PNG."""
    with style():
        return {f"{NAME}.{suffix}": content for suffix, content in encode(_figure(timelines))}


def _figure(timelines: Sequence[ArmTimeline]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, max(4.6, 1.6 + 0.2 * len(timelines))), layout="constrained")
    budgets, delays = figure.subplots(1, 2, sharey=True)
    for one, detector, shown in _lines(timelines):
        # the always-on detector has no value at any budget: here it is in the legend alone
        budgets.plot(BUDGETS, [100 * at.mean for at in curve(one, detector)], **shown)
        _within(
            delays, np.concatenate([found.delays for found in one.found[detector].values()]), shown
        )
    budgets.set_xscale("log")
    budgets.set_xticks([1, 10, 100], ["1", "10", "100"])
    budgets.set_xlabel("false alarms a day and series, at a threshold chosen on the test part")
    budgets.set_ylabel("incidents detected, %")
    budgets.set_title(
        "A diagnosis: what a budget of false alarms would buy", loc="left", fontsize=9.5
    )
    delays.set_xlabel("seconds after the incident's first step")
    delays.set_title(
        "At the run's own threshold: incidents detected within …", loc="left", fontsize=9.5
    )
    for axes in (budgets, delays):
        axes.set_ylim(0, 102)
        axes.grid(color="#E5E5E5", linewidth=0.6)
    figure.legend(*budgets.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    figure.suptitle(TITLE, x=0.012, ha="left", fontsize=11, fontweight="bold")
    foot(figure, short_facts([one.model for one in timelines]))
    return figure


def _lines(timelines: Sequence[ArmTimeline]) -> list[tuple[ArmTimeline, str, dict[str, Any]]]:
    signs, twin = marks([one.model.arm for one in timelines]), beside(timelines)
    lines: list[tuple[ArmTimeline, str, dict[str, Any]]] = []
    for place, one in enumerate(timelines):
        own = {
            "color": COLOURS[place % len(COLOURS)],
            "marker": MARKERS[place % len(MARKERS)],
            "linestyle": "-" if place < len(COLOURS) else "-.",
        }
        title = one.model.arm.title + signs[one.model.arm.name]
        lines.append((one, MODEL, {**own, "label": title, "linewidth": 1.2, "markersize": 4}))
    grey = {"color": "#707070", "linewidth": 1.0}
    lines.append(
        (
            twin,
            RANDOM,
            {**grey, "linestyle": "--", "label": f"random, as often as {twin.model.arm.title}"},
        )
    )
    lines.append((twin, ALWAYS_ON, {**grey, "linestyle": ":", "label": "always on"}))
    return lines


def _within(axes: Axes, delays: Floats, shown: dict[str, Any]) -> None:
    """Share of all incidents, detected or not, that are detected by each delay."""
    known = np.sort(delays[np.isfinite(delays)])
    if len(known) == 0:
        return
    values, last = np.unique(known, return_index=True)
    share = np.append(last[1:], len(known)) / len(delays)
    axes.plot(
        values, 100 * share, drawstyle="steps-post", markevery=max(1, len(values) // 8), **shown
    )

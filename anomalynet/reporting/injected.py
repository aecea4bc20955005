"""Draws one injected incident of each kind on a real window of the user's data, so that he can
judge whether these are his incidents."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from anomalynet.config.schema import Config
from anomalynet.data.injection import OPERATIONS
from anomalynet.errors import UsageError
from anomalynet.reporting.figures import BLUE, VERMILION, encode, heading, style
from anomalynet.runs.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
WIDTH = 48  # characters of a line below a panel


def draw_injected(config: Config, path: Path) -> Path:
    """Write the figure, whose windows and incidents follow from the run's seed, and return its
    path, a .png or .svg. Raises UsageError: another ending, or a configuration without incidents
    to inject; DataError: the data cannot be used."""
    form = path.suffix.lstrip(".")
    if form not in ("png", "svg"):
        raise UsageError(f"{path}: a figure is a .png or .svg", "--out FILE.png")
    with style():
        content = dict(encode(_figure(config)))[form]
    write_bytes(path, content)
    return path


def _figure(config: Config) -> Figure:
    from matplotlib.figure import Figure

    from anomalynet.data.datamodule import TelemetryDataModule

    module = TelemetryDataModule(config)
    if (injector := module.injector) is None:
        raise UsageError("training.incidents=labels injects nothing", "unlabelled does")
    windows = module.windows("train")
    kinds, random = injector.kinds, np.random.default_rng(config.seed)
    ids = random.integers(len(windows), size=2 * len(kinds)).astype(np.int64)
    x, other = np.split(windows.gather(ids), 2)
    changed = injector.inject(random, x, other, kinds)
    names = [channel.name for channel in module.prepared.channels]
    rows = -(-len(kinds) // COLUMNS)
    figure = Figure(figsize=(10, 2.1 * rows + 0.9), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False).flat
    for axes, kind, before, after in zip(grid, kinds, x, changed, strict=False):
        moved = np.abs(after - before).mean(axis=0) / injector.units
        channel = int(moved.argmax())
        text = fill(str(OPERATIONS[kind].__doc__), WIDTH)
        axes.set_title(f"{kind} ({names[channel]})", loc="left", fontsize=9, fontweight="bold")
        axes.plot(after[:, channel] / injector.units[channel], color=VERMILION, linewidth=1.4)
        axes.plot(before[:, channel] / injector.units[channel], color=BLUE, linewidth=1)
        axes.set_xlabel(text, fontsize=7)
        axes.tick_params(labelsize=7)
    for axes in [*grid][len(kinds) :]:
        axes.set_visible(False)
    heading(figure, f"Injected incidents on windows of {config.data.title}")
    limits = config.training.injection
    facts = f"blue: as recorded; red: with the incident; {windows.window} steps, in typical "
    facts += f"deviations of the channel; magnitudes of {limits.smallest:g} to {limits.largest:g}"
    figure.supxlabel(fill(facts, 170), fontsize=7, color="#404040", x=0.012, ha="left")
    return figure

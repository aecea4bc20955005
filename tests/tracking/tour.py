"""Draws the panels of anomalynet/tracking/README.md from W&B's offline files, as W&B shows them:

    python -m tests.tracking.tour RUNS ABLATION SEARCH sweeps/wandb.png

RUNS is the folder of the runs; ABLATION and SEARCH are the groups of a sweep and of a search."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from PIL import Image

from anomalynet.config.identity import flatten_tree
from tests.tracking.reader import Read, parts, read

EPOCH, TEST = "validation/average_precision", "test/average_precision"
AXES = ("attention", "autoencoder_depth", "cnn", "lstm")
SPACE = ("channels", "hidden", "latent", "autoencoder_depth", "attention", "dropout")


def group(runs: Path, name: str) -> list[tuple[Path, Read]]:
    """The runs of a group with their folders."""
    folders = [*runs.glob("*/*/tracking.json")]
    found = [(part, read(part)) for one in folders for part in parts(one.parent)]
    return [(part, one) for part, one in found if one.run.get("run_group") == name]


def curves(axes: Axes, runs: Sequence[Read]) -> None:
    """A line per run, as of W&B's first panel of a group."""
    for number, one in enumerate(runs):
        values = [line[EPOCH] for line in one.epochs]
        axes.plot(range(1, len(values) + 1), values, color=f"C{number}", lw=1)
    axes.set(xlabel="epoch", title=f"{EPOCH}, one line per run")


def coordinates(axes: Axes, rows: Sequence[Mapping[str, Any]], result: str, title: str) -> None:
    """Parallel coordinates: the values of each column between its least and its largest one."""
    names = [*rows[0]]
    best = Normalize(min(row[result] for row in rows), max(row[result] for row in rows))
    levels = {name: sorted({row[name] for row in rows}) for name in names}
    for row in rows:
        at = [(row[n] - levels[n][0]) / ((levels[n][-1] - levels[n][0]) or 1) for n in names]
        axes.plot(range(len(names)), at, color=plt.get_cmap("viridis")(best(row[result])), lw=1.2)
    for number, name in enumerate(names):
        axes.axvline(number, color="grey", lw=0.6)
        for height, value in ((-0.08, levels[name][0]), (1.03, levels[name][-1])):
            text = str(value) if isinstance(value, bool | int) else f"{value:.3g}"
            axes.text(number, height, text, ha="center", fontsize=7)
    shown = [name.split("/")[-1].split(".")[-1].replace("_", "\n") for name in names]
    axes.set_xticks(range(len(names)), shown, fontsize=7)
    axes.tick_params(axis="x", length=0, pad=14)
    axes.set(yticks=[], ylim=(0, 1))
    axes.set_title(title, pad=16)
    axes.spines[:].set_visible(False)


def main(runs: str, ablation: str, search: str, out: str) -> None:
    """Write the picture."""
    trained = [own for own in group(Path(runs), ablation) if own[1].run["job_type"] == "train"]
    trials = [one for _, one in group(Path(runs), search) if one.run["job_type"] == "trial"]
    points = [flatten_tree(one.config) for _, one in trained]
    rows = [
        {**{key: point[f"model.{key}"] for key in AXES}, TEST: one.summary[TEST]}
        for point, (_, one) in zip(points, trained, strict=True)
    ]
    tried = [
        {**{key: flatten_tree(one.config)[f"model.{key}"] for key in SPACE}}
        | {"training.learning_rate": flatten_tree(one.config)["training.learning_rate"]}
        | {EPOCH: one.summary[EPOCH]}
        for one in trials
    ]
    plt.rcParams.update({"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left"})
    figure, grid = plt.subplots(2, 2, figsize=(10, 5.6), layout="constrained")
    curves(grid[0, 0], [one for _, one in trained])
    coordinates(
        grid[0, 1],
        rows,
        TEST,
        f"{ablation.partition('-')[0]}: parallel coordinates of {len(rows)} runs",
    )
    coordinates(
        grid[1, 0],
        tried,
        EPOCH,
        f"{search.partition('-')[0]}: parallel coordinates of {len(tried)} trials",
    )
    last = trained[0][1].history[-1]
    names = last.get("test/examples.filenames") or last["test/examples"]["filenames"]
    grid[1, 1].imshow(plt.imread(trained[0][0] / "files" / names[0]))
    grid[1, 1].set_axis_off()
    grid[1, 1].set_title("test/examples: one of a run's four pictures")
    figure.savefig(out, dpi=100)
    Image.open(out).convert("P", palette=Image.Palette.ADAPTIVE, colors=64).save(out, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""SMD, the Server Machine Dataset: 28 machines with 38 channels, each with an unlabelled half and
a labelled one."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources import _reading
from anomalynet.data.telemetry import Channel, Telemetry
from anomalynet.errors import DataError

GROUPS = {1: 8, 2: 9, 3: 11}  # group → machines in it
CHANNELS = tuple(Channel(f"channel {number}") for number in range(1, 39))
"""Numbered as in the publishers' `interpretation_label`; their files have no names."""
INFO = _reading.SourceInfo(
    name="smd",
    title="SMD: 28 server machines, 38 channels, 1 min; half unlabelled, half labelled",
    licence="MIT",
    url="https://github.com/NetManAIOps/OmniAnomaly",
    period=60.0,
    subsets=tuple(f"machine-{one}-{n + 1}" for one, many in GROUPS.items() for n in range(many)),
    folders=(".", "ServerMachineDataset"),
    warnings=(
        "the first half of each machine (…/train) is unlabelled: it trains and calibrates, and is "
        "never scored; the second (…/test) is split by machine, or by time within one",
        "published results test on each whole second half, mostly with point adjustment and a "
        "threshold from the test labels: not comparable with metrics of single steps",
        "the publishers scaled each channel to 0…1, with extremes that a detector would not know "
        "yet; about one in six is constant in the training half of its machine",
        "the files have no times: readings are placed one minute apart, losses are invisible",
    ),
)
PARTS = ("train", "test", "test_label")
COMMIT = "7fb0e0acf89ea49908896bcc9f9e80fcfff6baf4"
url = _reading.pinned("NetManAIOps/OmniAnomaly", COMMIT, "ServerMachineDataset/")


def files(root: Path, subset: str | None) -> list[Path]:
    """Three files of one machine, or of each whose files are complete, below `root`."""
    wanted = (subset,) if subset else INFO.subsets
    machines = [[root / part / f"{one}.txt" for part in PARTS] for one in wanted]
    return [path for paths in machines if all(map(Path.is_file, paths)) for path in paths]


def load(root: Path, subset: str | None) -> Telemetry:
    """Read one machine or all; its two halves are two series of one group. Raises DataError: not a
    file of SMD."""
    paths = files(root, subset)
    machines = [path.stem for path in paths[:: len(PARTS)]]
    frame = pl.concat([_read(root, machine) for machine in machines])
    few = _reading.incomplete(len(machines), 1 if subset else len(INFO.subsets), "machines")
    groups = {f"{one}/{half}": one for one in machines for half in ("train", "test")}
    only = frozenset(f"{one}/train" for one in machines)
    about = {"groups": groups, "train_only": only}
    return _reading.telemetry(INFO, frame, CHANNELS, {"machines": len(machines)}, few, **about)


def _read(root: Path, machine: str) -> pl.DataFrame:
    """The two halves of a machine, the second after the first."""
    train, test, labels = (root / part / f"{machine}.txt" for part in PARTS)
    names = tuple(channel.name for channel in CHANNELS)
    halves = []
    for path in (train, test):
        half = _reading.read(path, TableFormat(columns=names)).with_columns(
            pl.col(names).cast(pl.Float32),  # six decimals
            series=pl.lit(f"{machine}/{path.parent.name}"),
        )
        halves.append(half)
    known = _reading.read(labels, TableFormat(columns=("value",)))["value"]
    if len(known) != halves[1].height:
        what = f"{labels}: {len(known)} labels, but {test} has {halves[1].height} rows"
        raise DataError(what, "fetch or copy the files again")
    if not (valid := known.is_in([0.0, 1.0])).all():
        line = int((~valid).arg_max() or 0) + 1
        raise DataError(f"{labels}:{line}: a label is 0 or 1", "fetch or copy the file again")
    halves[1] = halves[1].with_columns(label=known.cast(pl.Int8))
    time = (pl.int_range(pl.len()) * 60_000_000).cast(pl.Datetime("us"))
    return pl.concat(halves).with_columns(time=time)

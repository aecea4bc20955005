"""Finds and loads data sets by name: the simulator's presets, the modules of this folder that have
`INFO`, and imported sets of the data folder."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import median
from typing import Protocol, cast

from anomalynet.config.schema import Config, DataConfig
from anomalynet.data.folder import data_folder
from anomalynet.data.gateway import SENSOR_CHANNELS
from anomalynet.data.importing.format import TableFormat
from anomalynet.data.sources import digests, imported, simulated
from anomalynet.data.sources._reading import SourceInfo
from anomalynet.data.telemetry import Telemetry
from anomalynet.data.view import relabel, widen, without
from anomalynet.errors import DataError


class Source(Protocol):
    """The interface of a module in this folder. A new module with it is a new data set."""

    INFO: SourceInfo

    def files(self, root: Path, subset: str | None) -> list[Path]:
        """The files of the subset (None: of all) in `root`; empty if this is not their folder."""
        ...

    def load(self, root: Path, subset: str | None) -> Telemetry:
        """Read the files. Raises DataError: they are not this data set's, or are damaged."""
        ...


@cache
def built_in() -> dict[str, Source]:
    """The modules of this folder that are sources, by name."""
    modules = (
        importlib.import_module(f"{__name__}.{module.name}")
        for module in pkgutil.iter_modules(__path__)
    )
    sources = (cast(Source, module) for module in modules if hasattr(module, "INFO"))
    return {source.INFO.name: source for source in sources}


def names() -> list[str]:
    """All valid names for `data.name`: presets of the simulator, built-in sources, imported
    sets."""
    return [*simulated.names(), *sorted(built_in()), *imported.names(data_folder())]


def info(name: str) -> SourceInfo:
    """The description of a data set, without reading it. Raises DataError: unknown name."""
    if simulated.knows(name):
        return simulated.info(name)
    return _source(DataConfig(name=name)).INFO


def is_there(name: str) -> bool:
    """Whether a data set's files are in the data folder, or are not needed."""
    if simulated.knows(name):
        return simulated.info(name).generated
    source = _source(DataConfig(name=name))
    subsets = (None, *source.INFO.subsets)
    return any(_find(source, data_folder(), subset) for subset in subsets)


def load(config: DataConfig) -> Telemetry:
    """Load a data set in canonical form, labelled by `config.label`, with the channels of
    `config.view`.

    Raises DataError: unknown name or subset, missing or invalid files, or a label or view that is
    impossible for this data.
    """
    root, name = locate(config), config.title
    if simulated.knows(config.name):
        found = simulated.load(config)
    else:
        found = _source(config).load(root, config.subset)
    labelled = relabel(without(found, config.without, name), config.label, name)
    return widen(labelled, config.view, config.neighbours, SENSOR_CHANNELS, name)


def fingerprint(config: DataConfig, reread: bool = False) -> str:
    """The SHA-256 of a data set's content, without parsing it; `reread`: also of files that seem
    unchanged. Raises DataError: as `load`, or a file is not as it was imported or published."""
    root = locate(config)
    if simulated.knows(config.name):
        return simulated.fingerprint(config)
    source = _source(config)
    if isinstance(source, imported.Imported):
        expected = imported.known_checksums(root)
    else:  # in a folder of their own, files may be others
        expected = digests.manifest(config.name) if config.root is None else {}
    return digests.of_files(root, source.files(root, config.subset), expected, reread)


def completed(config: Config) -> Config:
    """With values for empty keys, by the rules that stand in the schema: those for data without
    labels where no label is read either. Raises DataError: as `load`, or there is no such fold."""
    lengths = _lengths(config.data, read=config.training.incidents != "injected")
    return replace(config, data=_completed_data(config.data, lengths))


def _completed_data(data: DataConfig, lengths: Sequence[int]) -> DataConfig:
    """`lengths`: as `_lengths` found them; empty where labels are read."""
    rows, cut = data.first_rows, data.split
    if lengths and (form := table_format(data)) is not None:
        period, readings = _source(data).INFO.period, median(lengths)
        day = 86_400 / period if period and form.time else max(rows, 1)
        if data.calibration_rows is None:
            rows = max(1, int(min(max(day, rows), readings / 3, 10_000)))
        left = readings - rows
        folds = min(cut.folds, max(3, int(left / day)))
        in_time = left >= 3 * day or len(lengths) < 3 * cut.folds  # else whole devices are held out
        long = left >= 9 * data.window  # three parts, each with room for windows beside a purge gap
        if cut.policy == "auto" and in_time and long and form.split is None:
            if cut.fold >= folds:
                what = f"data.split.fold={cut.fold}: {data.name}, without labels, has {folds} folds"
                raise DataError(what, f"choose 0 … {folds - 1}, or another data.split.policy")
            cut = replace(cut, policy="blocked", folds=folds)
    return replace(data, calibration_rows=rows, split=cut)


def _lengths(data: DataConfig, *, read: bool) -> Sequence[int]:
    """The number of readings of each series of imported data, if it has no label or none is `read`;
    else empty."""
    source = None if simulated.knows(data.name) else _source(data)
    if not isinstance(source, imported.Imported) or (read and source.labelled(locate(data))):
        return ()
    return source.lengths(locate(data))


def table_format(config: DataConfig) -> TableFormat | None:
    """How the table of an imported set was read; None for other data, and for sets that an earlier
    version imported."""
    source = None if simulated.knows(config.name) else _source(config)
    return source.form if isinstance(source, imported.Imported) else None


def locate(config: DataConfig) -> Path:
    """The folder of a data set's files: `data.root`, or a folder with the set's name in it. Raises
    DataError: no files, a subset is needed, or a key is invalid for this data."""
    base = Path(config.root) if config.root is not None else data_folder()
    if simulated.knows(config.name):
        _check_subset(simulated.info(config.name), config.subset)
        return base
    source = _source(config)
    about = source.INFO
    _check_subset(about, config.subset)
    if config.scenario is not None:
        raise DataError(
            f"data.scenario is only for simulated data, not for {about.name}",
            "remove data.scenario",
        )
    found = _find(source, base, config.subset)
    if found is not None:
        return found
    what = f"{about.name}/{config.subset}" if config.subset else about.name
    looked = base if config.root is not None else base / about.name
    raise DataError(
        f"no files of {what} in {looked}",
        f"use `anomalynet data fetch {about.name}`, or set their folder: data.root=FOLDER",
    )


def _find(source: Source, base: Path, subset: str | None) -> Path | None:
    for folder in (base / source.INFO.name, base):
        for inner in source.INFO.folders:
            if source.files(folder / inner, subset):
                return folder / inner
    return None


def _check_subset(about: SourceInfo, subset: str | None) -> None:
    parts = ", ".join(about.subsets)
    if subset is None and about.needs_subset:
        what = f"{about.name} is a collection and needs data.subset: one of {parts}"
        raise DataError(what, f"for example data.subset={about.subsets[0]}")
    if subset is not None and not about.subsets:
        raise DataError(
            f"{about.name} has no subsets, but data.subset is {subset!r}", "remove data.subset"
        )
    if subset is not None and subset not in about.subsets:
        what = f"{about.name}: unknown subset {subset!r}; known are {parts}"
        raise DataError(what, _nearest(subset, about.subsets, "data.subset="))


def _source(config: DataConfig) -> Source:
    base = Path(config.root) if config.root is not None else data_folder()
    source = built_in().get(config.name) or imported.find(config.name, base)
    if source is None:
        near = _nearest(config.name, names(), "")
        raise DataError(f"unknown data set {config.name!r}, also in {base.absolute()}", near)
    return source


def _nearest(word: str, known: list[str] | tuple[str, ...], prefix: str) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"

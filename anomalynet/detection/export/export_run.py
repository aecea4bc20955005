"""Exports a finished run: graph, variants and model card. All are verified before the first file is
written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np
import onnx

from anomalynet.data import sources, statistics
from anomalynet.data.prepared import Float32, Float64, Prepared
from anomalynet.data.sources import simulated
from anomalynet.detection.contract import QUALITY, Calibration, Contract, Reference, Sensor
from anomalynet.detection.export.card import card
from anomalynet.detection.export.graphs import (
    OUTPUTS,
    carried,
    classical_graph,
    step_graph,
    window_graph,
)
from anomalynet.detection.export.paths import VARIANTS
from anomalynet.detection.export.tidy import fold, to_bytes, variant
from anomalynet.detection.export.verify import Loss, Parity, Session, compare, latencies, measure
from anomalynet.errors import RunError
from anomalynet.metrics.threshold import off_ties
from anomalynet.models import Classical, Detector
from anomalynet.runs.files import read_json, replacing, sync, write_bytes
from anomalynet.training.finished import FinishedRun
from anomalynet.training.reproducibility import prepare_process

LICENCE = "Apache-2.0"  # of the exported file, as of the program
# Fields of the contract that a run's result and its data section have, too
OF_RESULT: tuple[str, ...] = ("experiment", "data", "fingerprint", "seed", "split")
OF_RESULT += ("threshold_rule", "probability", "metrics")
OF_DATA = ("window", "max_gap", "calibration_rows", "calibration")
ROWS = 100_000  # most training steps, evenly spaced, for the reference quantiles of a channel


@dataclass(frozen=True, slots=True)
class Exported:
    """The written files and their verification."""

    contract: Contract  # of the float32 file
    parity: Parity  # of the float32 file and the run's model
    card: Path
    files: dict[str, Path]  # variant → its file
    losses: dict[str, Loss]  # variant → its loss
    refused: dict[str, str]  # name in `--variants` → why the variant was not made

    def to_json(self) -> dict[str, object]:
        """Paths, parity, sizes and losses."""
        losses = self.losses.items()
        files = [{"file": str(self.files[name]), **asdict(loss)} for name, loss in losses]
        contract = {"run": self.contract.run, "form": self.contract.form}
        verified = {"parity": asdict(self.parity), "files": files, "refused": self.refused}
        return {**contract, "card": str(self.card), **verified}


def export(
    run: FinishedRun,
    paths: Mapping[str, Path],
    variants: Sequence[str] = (),
    report: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a run's ONNX file, its variants (`int8`, `fp16`), and the model card to the `paths` of
    `checked`. `report` is called with a line of text at each stage.

    Raises DataError: the run's data is missing. RunError: the data changed, or the graph differs
    from the run's model. Nothing is written then."""
    prepare_process(run.config)
    report("reading the run and its data")
    if run.data.prepared.fingerprint != run.result.fingerprint:
        what = f"{run.folder.path}: the data has changed since the run was trained"
        raise RunError(what, "train again, or restore the data")
    report("exporting and comparing with the run's model")
    graph, described = _graph(run)
    contents = {"float32": to_bytes(graph, described)}
    sessions = {"float32": Session(contents["float32"])}
    parity = compare(run, sessions["float32"])
    refused: dict[str, str] = {}
    for name in variants:
        kind = VARIANTS[name]
        try:
            content = to_bytes(variant(graph, kind), replace(described, variant=kind))
            sessions[kind] = Session(content)
            contents[kind] = content
        except RunError as error:
            refused[name] = error.message
    times = latencies(run, sessions)
    losses = {}
    for name, session in sessions.items():
        report(f"scoring the validation and test part with {name}")
        size = len(contents[name])
        losses[name] = measure(run, session, size, name, described.threshold, times[name])
    files = {name: paths[name] for name in contents}
    by_file = {files[name].name: loss for name, loss in losses.items()}
    text = card(run, described, parity, by_file, refused)
    models = {files[name]: contents[name] for name in reversed(contents)}
    # The model last: if it exists, the export is complete.
    write_all({paths["card"]: text.encode(), **models})
    return Exported(described, parity, paths["card"], files, losses, refused)


MOST_WINDOWS, MOST_VALUES = 8, 20_000  # of the reference: its windows, and their values
MOST_KNOWN = 100_000  # calibrations, of devices and sensors: 4 MB of text


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write files, in this order; none is replaced before all are on the disk. Raises RunError: the
    disk is full, or a folder cannot be written to; the files are as they were."""
    try:
        before = {path: path.read_bytes() if path.exists() else None for path in contents}
        with ExitStack() as stack:
            for folder in {path.parent for path in contents}:
                folder.mkdir(parents=True, exist_ok=True)
            # It leaves the last one first.
            places = {path: stack.enter_context(replacing(path)) for path in [*contents][::-1]}
            for path, content in contents.items():
                places[path].write_bytes(content)
                sync(places[path])
    except OSError as error:
        for path in filter(Path.exists, before):
            if (old := before[path]) is None:
                path.unlink()
            elif path.read_bytes() != old:
                write_bytes(path, old)
        how = "free disk space, or choose another --out; the same command exports again"
        raise RunError(f"{error.filename}: {error.strerror or error}", how) from None


def _graph(run: FinishedRun) -> tuple[onnx.ModelProto, Contract]:
    model = run.detector
    if model.graph_form == "statistics":
        features = len(statistics.names) * len(run.result.channels)
        graph = classical_graph(cast("Classical", model), features)
        return fold(graph), contract(run, "statistics", ("score",))
    network = cast("Detector", model)
    if model.graph_form == "step":
        width = network.initial_state(1).states.shape[-1]
        described = contract(run, "step", OUTPUTS, carried(network), width)
        return fold(step_graph(network, described.inputs)), described
    graph, outputs = window_graph(network)
    return fold(graph), contract(run, "window", outputs)


def contract(
    run: FinishedRun,
    form: Literal["window", "step", "statistics"],
    outputs: tuple[str, ...],
    carried: Mapping[str, tuple[int, ...]] | None = None,
    width: int = 0,
) -> Contract:
    """The contract of a run's `float32` file. `carried` and `width`: shapes of the state, for the
    form `step`. Raises DataError: the run's data is missing."""
    config, result, prepared = run.config, run.result, run.data.prepared
    data, quality = config.data, config.data.quality
    axis: Literal["time", "channel"] = getattr(config.model, "attention_axis", "time")
    same = {name: getattr(result, name) for name in OF_RESULT}
    same |= {name: getattr(data, name) for name in OF_DATA}
    same |= {name: getattr(quality, name) for name in QUALITY}
    return Contract(
        **same,
        run=result.id,
        model=Path(result.model).stem,
        code=str(read_json(run.folder.environment).get("code", "")),
        licence=LICENCE,
        form=form,
        sensors=tuple(Sensor(**asdict(channel)) for channel in sources.load(data).channels),
        mask=prepared.mask is not None,
        period=prepared.period,
        periods=prepared.periods,
        breaks=not simulated.knows(data.name),
        hold=data.max_gap if quality.impute == "hold" else 0,
        calibration_floor=prepared.calibration_floor,
        clip=data.bound,
        threshold=off_ties(result.threshold, _validation(run)),
        outputs=outputs,
        attention_axis=axis if "attention" in outputs else None,
        carried=carried or {},
        width=width,
        warnings=tuple(dict.fromkeys((*prepared.warnings, *result.warnings))),
        reference=_reference(run, prepared, form != "step" and "error" not in outputs),
        table=sources.table_format(data),
        known=_known(run, prepared),
    )


def _known(run: FinishedRun, prepared: Prepared) -> dict[str, Calibration]:
    """The calibration of an imported table's devices, so that they are scored from their first
    reading on; empty where there are too many for a file's metadata."""
    mean, scale = prepared.calibration_mean, prepared.calibration_scale
    if sources.table_format(run.config.data) is None or mean.size > MOST_KNOWN:
        return {}
    return {
        name: Calibration(
            mean=tuple(own.tolist()),
            scale=tuple(None if np.isinf(one) else float(one) for one in of),
        )
        for name, own, of in zip(prepared.series, mean, scale, strict=False)
        if np.isfinite(of).any()  # else it was too short
    }


def _validation(run: FinishedRun) -> Float64:
    """The stored scores of the validation part, float64 (window,)."""
    return run.scores.filter(run.scores["split"] == "validation")["score"].drop_nulls().to_numpy()


def _reference(run: FinishedRun, prepared: Prepared, with_windows: bool) -> Reference:
    validation = _validation(run)
    rows = run.data.windows("train").ranges.merged().rows()
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), ROWS)).astype(np.int64)]
    names = [channel.name for channel in prepared.channels]
    values = prepared.values[rows]
    return Reference(
        scores=_quantiles(validation) if len(validation) else (),
        channels={name: _quantiles(values[:, position]) for position, name in enumerate(names)},
        windows=_ordinary(run, prepared) if with_windows else (),
    )


def _ordinary(run: FinishedRun, prepared: Prepared) -> tuple[tuple[float, ...], ...]:
    """Some training windows that are not labelled as attack, if possible without a missing step."""
    windows = run.data.windows("train")
    ids = np.flatnonzero(windows.targets() <= 0)
    if prepared.mask is not None:
        ids = ids[np.linspace(0, len(ids) - 1, min(len(ids), 2000)).astype(np.int64)]
        whole = (windows.gather(ids)[:, :, prepared.mask] == 0).all(axis=1)
        ids = ids[whole] if whole.any() else ids
    most = min(MOST_WINDOWS, max(1, MOST_VALUES // int(np.prod(windows.shape))), len(ids))
    some = windows.gather(ids[np.linspace(0, len(ids) - 1, most).astype(np.int64)])
    return tuple(tuple(float(f"{value:.5g}") for value in one.ravel()) for one in some)


def _quantiles(values: Float32 | Float64) -> tuple[float, ...]:
    return tuple(np.quantile(values.astype(np.float64), np.linspace(0, 1, 101)).tolist())

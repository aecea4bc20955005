"""Exports a finished run: graph, variants and model card. All are verified before the first file is
written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast

import onnx

from anomalynet.data.statistics import names
from anomalynet.detection.contract import Contract
from anomalynet.detection.export.card import card
from anomalynet.detection.export.classical import classical_graph
from anomalynet.detection.export.describe import contract
from anomalynet.detection.export.network import OUTPUTS, carried, step_graph, window_graph
from anomalynet.detection.export.paths import VARIANTS, Paths
from anomalynet.detection.export.session import open_session
from anomalynet.detection.export.tidy import fold, to_bytes, variant
from anomalynet.detection.export.verify import Loss, Parity, compare, latencies, measure
from anomalynet.errors import RunError
from anomalynet.models import Classical, Detector
from anomalynet.runs.files import write_bytes, write_text
from anomalynet.training.finished import FinishedRun
from anomalynet.training.reproducibility import prepare_process


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
    paths: Paths,
    variants: Sequence[str] = (),
    report: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a run's ONNX file, its variants, and the model card.

    Args:
        paths: files to write.
        variants: `int8`, `fp16`; impossible ones are listed in `Exported.refused`.
        report: called with a line of text at each stage.

    Raises DataError: the run's data is missing. RunError: the data changed, or the graph differs
    from the run's model. Nothing is written then.
    """
    prepare_process(run.config)
    report("reading the run and its data")
    if run.data.prepared.fingerprint != run.result.fingerprint:
        what = f"{run.folder.path}: the data has changed since the run was trained"
        raise RunError(what, "train again, or restore the data")
    report("exporting and comparing with the run's model")
    graph, described = _graph(run)
    contents = {"float32": to_bytes(graph, described)}
    sessions = {"float32": open_session(contents["float32"], described.form)}
    parity = compare(run, sessions["float32"])
    refused: dict[str, str] = {}
    for name in variants:
        kind = VARIANTS[name]
        try:
            content = to_bytes(variant(graph, kind), replace(described, variant=kind))
            sessions[kind] = open_session(content, described.form)
            contents[kind] = content
        except RunError as error:
            refused[name] = error.message
    times = latencies(run, sessions)
    losses = {}
    for name, session in sessions.items():
        report(f"scoring the validation and test part with {name}")
        size = len(contents[name])
        losses[name] = measure(run, session, size, name, described.threshold, times[name])
    files = {name: paths.of(name) for name in contents}
    by_file = {files[name].name: loss for name, loss in losses.items()}
    text = card(run, described, parity, by_file, refused)
    for name in reversed(contents):  # the model last: if it exists, the export is complete
        write_bytes(files[name], contents[name])
    write_text(paths.card, text)
    return Exported(described, parity, paths.card, files, losses, refused)


def _graph(run: FinishedRun) -> tuple[onnx.ModelProto, Contract]:
    model = run.detector
    if model.graph_form == "statistics":
        features = len(names) * len(run.result.channels)
        graph = classical_graph(cast("Classical", model), features)
        return fold(graph), contract(run, "statistics", ("score",))
    network = cast("Detector", model)
    if model.graph_form == "step":
        width = network.initial_state(1).states.shape[-1]
        described = contract(run, "step", OUTPUTS, carried(network), width)
        return fold(step_graph(network)), described
    graph, outputs = window_graph(network)
    return fold(graph), contract(run, "window", outputs)

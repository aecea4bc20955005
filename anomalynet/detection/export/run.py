"""From a finished run to its files: the graph, its variants and the card, all verified before the
first is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import onnx

from anomalynet.data.statistics import names
from anomalynet.detection.contract import Contract
from anomalynet.detection.export.card import card
from anomalynet.detection.export.classical import classical_graph
from anomalynet.detection.export.describe import contract
from anomalynet.detection.export.network import OUTPUTS, carried, step_graph, window_graph
from anomalynet.detection.export.paths import VARIANTS, Paths
from anomalynet.detection.export.session import open_session
from anomalynet.detection.export.tidy import finished, fold, variant
from anomalynet.detection.export.verify import Loss, Parity, compare, latencies, measure
from anomalynet.errors import RunError
from anomalynet.models.classical import Classical
from anomalynet.models.hybrid_causal import HybridCausal
from anomalynet.runs.files import write_bytes, write_text
from anomalynet.training.finished import FinishedRun
from anomalynet.training.reproducibility import prepare_process


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    contract: Contract  # of the float32 file
    parity: Parity  # of the float32 file with the run's model
    card: Path
    files: dict[str, Path]  # variant → its file
    losses: dict[str, Loss]  # variant → what it costs
    refused: dict[str, str]  # variant as `--variants` says it → why there is none

    def to_json(self) -> dict[str, object]:
        """Paths, parity, sizes and losses."""
        files = [
            {"file": str(self.files[name]), **asdict(loss)} for name, loss in self.losses.items()
        ]
        return {
            "run": self.contract.run,
            "form": self.contract.form,
            "card": str(self.card),
            "parity": asdict(self.parity),
            "files": files,
            "refused": self.refused,
        }


def export(
    run: FinishedRun,
    paths: Paths,
    variants: Sequence[str] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a run's ONNX file, those of its variants, and their card.

    Args:
        paths: that may be written.
        variants: `int8`, `fp16`; what a model cannot have is told in the result.
        tell: is given a line for each stage.
    Raises DataError: the run's data is gone; RunError: the data changed, or the graph and the run's
    model differ; nothing is written.
    """
    prepare_process(run.config)
    tell("reading the run and its data")
    if run.data.prepared.fingerprint != run.result.fingerprint:
        what = f"{run.folder.path}: its data is not what it was trained on any more"
        raise RunError(what, "train it again, or bring the data back")
    tell("exporting and comparing with the run's model")
    graph, described = _graph(run)
    contents = {"float32": finished(graph, described)}
    sessions = {"float32": open_session(contents["float32"], described.form)}
    parity = compare(run, sessions["float32"])
    refused: dict[str, str] = {}
    for name in variants:
        kind = VARIANTS[name]
        try:
            content = finished(variant(graph, kind), replace(described, variant=kind))
            sessions[kind] = open_session(content, described.form)
            contents[kind] = content
        except RunError as error:
            refused[name] = error.message
    times = latencies(run, sessions)
    losses = {}
    for name, session in sessions.items():
        tell(f"scoring the validation and test part with {name}")
        size = len(contents[name])
        losses[name] = measure(run, session, size, name, described.threshold, times[name])
    files = {name: paths.of(name) for name in contents}
    by_file = {files[name].name: loss for name, loss in losses.items()}
    told = card(run, described, parity, by_file, refused)
    for name in reversed(contents):  # the model itself last: where it is, all is
        write_bytes(files[name], contents[name])
    write_text(paths.card, told)
    return Exported(described, parity, paths.card, files, losses, refused)


def _graph(run: FinishedRun) -> tuple[onnx.ModelProto, Contract]:
    model = run.detector
    if isinstance(model, Classical):
        features = len(names) * len(run.result.channels)
        return fold(classical_graph(model, features)), contract(run, "statistics", ("score",))
    if model.carries_state:
        if not isinstance(model, HybridCausal):
            raise RunError(f"{type(model).__name__} carries a state: only hybrid_causal exports it")
        graph = step_graph(model)
        return fold(graph), contract(run, "step", OUTPUTS, carried(model), model.settings.hidden)
    graph, outputs = window_graph(model)
    return fold(graph), contract(run, "window", outputs)

"""An exported model, loaded: ONNX Runtime on the CPU, and the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection import contract
from anomalynet.errors import UsageError, first_line

CALIBRATION = {"offset", "scale"}  # inputs of files of earlier versions, which calibrate


class Model:
    """A file that `anomalynet export` wrote, or `content` that it will write; the network runs on
    one thread. Raises: UsageError if there is no such file, it is no exported model, or ONNX
    Runtime is missing or refuses it."""

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        self.path = path
        try:
            content = path.read_bytes() if content is None else content
        except OSError as error:
            how = "anomalynet export RUN --out model.onnx"
            raise UsageError(f"{path}: {error.strerror}", how) from None
        try:
            import onnxruntime
        except ImportError:
            raise UsageError("ONNX Runtime is not installed", "pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # the exception tells what it refuses
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        cpu = ["CPUExecutionProvider"]
        try:
            self.session: Any = onnxruntime.InferenceSession(content, options, providers=cpu)
        except Exception as error:  # its exceptions have no common class
            what = f"{path}: ONNX Runtime cannot load it: {first_line(error)}"
            raise UsageError(what, "export the run again") from None
        self.fingerprint = hashlib.sha256(content).hexdigest()
        self.contract = contract.read(self.session.get_modelmeta().custom_metadata_map, str(path))
        self.outputs = tuple(output.name for output in self.session.get_outputs())
        inputs = {given.name for given in self.session.get_inputs()}
        self._calibrates = inputs >= CALIBRATION
        _check(self.contract, inputs - CALIBRATION, set(self.outputs), str(path))

    def run(
        self, feed: Mapping[str, npt.NDArray[Any]], names: Sequence[str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name; all without `names`. `feed`: C-contiguous arrays by name, as the
        contract describes."""
        wanted = self.outputs if names is None else names
        if self._calibrates:  # it was done already
            shape = len(next(iter(feed.values()))), len(self.contract.channels)
            feed = {**feed, "offset": np.zeros(shape), "scale": np.ones(shape)}
        return dict(zip(wanted, self.session.run(wanted, feed), strict=True))


def _check(found: contract.Contract, inputs: set[str], outputs: set[str], where: str) -> None:
    state = set(found.carried)
    expected = {
        "window": {"readings"},
        "step": {"reading", "states", "slot", *state},
        "statistics": {"features"},
    }[found.form]
    needed = set(found.outputs)
    if found.form == "step":
        needed |= {f"{name}_next" for name in (*state, "hidden")}
    if inputs != expected or not needed <= outputs or "score" not in found.outputs:
        what = f"{where}: its network does not have the inputs and outputs that its metadata says"
        raise UsageError(what, "export the run again")

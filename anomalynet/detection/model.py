"""An exported model, loaded: ONNX Runtime on the CPU, and the contract."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from anomalynet.detection import contract
from anomalynet.errors import UsageError, first_line, install_command


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
            hint = install_command("onnxruntime")
            raise UsageError("ONNX Runtime is not installed", hint) from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # the exception tells what it refuses
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        cpu = ["CPUExecutionProvider"]
        try:
            self.session: Any = onnxruntime.InferenceSession(content, options, providers=cpu)
        except Exception as error:  # its exceptions have no common class
            what = f"{path}: ONNX Runtime cannot load it: {first_line(error)}"
            how = "give --model a file that `anomalynet export` wrote, or export the run again"
            raise UsageError(what, how) from None
        self.fingerprint = hashlib.sha256(content).hexdigest()
        try:
            metadata = self.session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError:
            what = f"{path}: its metadata is not UTF-8"
            raise UsageError(what, "export the run again") from None
        self.contract = contract.read(metadata, str(path), content)
        self.outputs = tuple(output.name for output in self.session.get_outputs())
        inputs = {given.name for given in self.session.get_inputs()}
        if inputs != self.contract.inputs.keys() or not self._fits():
            what = f"{path}: its network does not have the inputs and outputs that its metadata"
            raise UsageError(f"{what} says", "export the run again")

    @cached_property
    def ordinary(self) -> npt.NDArray[np.float32]:
        """The reference's ordinary windows, float32 (window, time, channel)."""
        windows, channels = self.contract.reference.windows, len(self.contract.channels)
        return np.array(windows, np.float32).reshape(-1, self.contract.window, channels)

    def _fits(self) -> bool:
        """Whether the network takes one device's zeros as the contract says, and gives what it
        says."""
        of = self.contract
        state = {**of.carried, "hidden": (of.width,)} if of.form == "step" else {}
        wanted = {f"{name}_next": shape for name, shape in state.items()}
        wanted |= dict.fromkeys(of.outputs, ()) | {"error": (len(of.channels),)}
        try:
            shapes = of.inputs.items()
            found = self.run({name: np.zeros((1, *shape), np.float32) for name, shape in shapes})
            parts = found["attention"].shape[1:] if "attention" in of.outputs else ()
        except Exception:  # its exceptions have no common class
            return False
        wanted["attention"] = parts if len(parts) == 1 and parts[0] else (0,)
        needed = {*of.outputs, *(f"{name}_next" for name in state)}
        return all(name in found and found[name].shape == (1, *wanted[name]) for name in needed)

    def run(
        self, feed: Mapping[str, npt.NDArray[Any]], names: Sequence[str] | None = None
    ) -> dict[str, npt.NDArray[Any]]:
        """Outputs by name; all without `names`. `feed`: C-contiguous arrays by name, as the
        contract describes."""
        wanted = self.outputs if names is None else names
        return dict(zip(wanted, self.session.run(wanted, feed), strict=True))

"""Reads and writes the checkpoints of networks; nothing is ever unpickled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from anomalynet.data.windows import WindowShape
from anomalynet.errors import ConfigError, RunError, first_line
from anomalynet.models import instance
from anomalynet.runs.files import write_bytes

if TYPE_CHECKING:
    from anomalynet.models.base import Detector


def read_network(
    kind: type[Detector], path: Any, device: Any, strict: bool, options: Mapping[str, Any]
) -> Detector:
    """The network of a checkpoint; see `Detector.load_from_checkpoint`."""
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        given = {**saved[kind.CHECKPOINT_HYPER_PARAMS_KEY], **options}
        model: Detector = instance(kind, WindowShape(*given.pop("input_shape")), None, given)
        model.on_load_checkpoint(saved)
        model.load_state_dict(saved["state_dict"], strict=strict)
    except Exception as error:  # a torn file, or another network, show in many ways
        if isinstance(error, ConfigError) and any(f"({one}=" in str(error) for one in options):
            raise
        what = f"{path}: no checkpoint of {kind.__name__}: {_reason(error)}"
        raise RunError(what, "load it by the class that wrote it") from error
    return model.to(device).eval()


def load_weights(model: Detector, path: Path) -> None:
    """Takes weights, normalisation and threshold from a checkpoint; see `Detector.load`."""
    try:
        saved = torch.load(path, weights_only=True, map_location="cpu")
        model.load_state_dict(saved["state_dict"])
    except Exception as error:  # a torn file, or weights of another shape, show in many ways
        what = f"{path}: no checkpoint of this model: {_reason(error)}"
        raise RunError(what, "delete the run's folder and train again") from None
    model.eval()


def _reason(error: Exception) -> str:
    """Why a checkpoint cannot be read, in one line, with the first weights that do not fit."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    text, pattern = first_line(error), r'(Missing|Unexpected|size mismatch)[^"]*?(?:"|for )([\w.]+)'
    if found := re.search(pattern, str(error)):
        text = f"{found[1].lower()} {found[2]}"
    other = "the weights are those of another class: "
    return f"{other if found or isinstance(error, ConfigError) else ''}{text.partition(';')[0]}"


def save_weights(model: Detector, path: Path) -> None:
    """Replaces the weights and threshold in a checkpoint that a Trainer wrote, in one step."""
    saved = torch.load(path, weights_only=True, map_location="cpu")
    saved["state_dict"] = model.state_dict()
    content = BytesIO()
    torch.save(saved, content)
    write_bytes(path, content.getvalue())


def plain_values(hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those hyperparameters that `torch.load` reads with `weights_only=True`."""
    return {name: value for name, value in hyperparameters.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    return value is None or type(value) in (bool, int, float, str)

"""Options of the models, one dataclass per model. `name` selects the model in
`anomalynet/models/`, or is the path of the user's own file. This module never imports torch."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from anomalynet.config.locate import is_file
from anomalynet.errors import UsageError


@dataclass(kw_only=True, slots=True, frozen=True)
class ModelConfig:
    """Options of every model."""

    name: str = ""
    """Name of the model, or the path of your own model file: `./mine.py`."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Deep(ModelConfig):
    """Options of every classifying network."""

    head: int = 64
    """Width of the fully connected layer before the two classes."""
    dropout: float = 0.2
    """Dropout probability of that layer in training (Table 1)."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Convolutional(Deep):
    """Options of every network with a convolutional stage."""

    channels: int = 64
    """Feature maps of the convolution."""
    kernel: int = 3
    """Kernel size of the convolution in steps; odd."""
    pool: int = 2
    """Size of max pooling in steps; 1: no pooling."""
    convolution: Literal["1d", "2d"] = "1d"
    """`1d`: over time; `2d`: over (time, channel), eq. 9 as printed."""


@dataclass(kw_only=True, slots=True, frozen=True)
class CNN(Convolutional):
    """Convolution, pooling, fully connected (§3.2.3)."""

    name: str = "cnn"


@dataclass(kw_only=True, slots=True, frozen=True)
class LSTM(Deep):
    """LSTM over the window (§3.2.2)."""

    name: str = "lstm"
    hidden: int = 64
    """Width of the LSTM state."""


@dataclass(kw_only=True, slots=True, frozen=True)
class CNNLSTM(Convolutional):
    """Convolution, then LSTM: the hybrid without autoencoder and attention."""

    name: str = "cnn_lstm"
    hidden: int = 64
    """Width of the LSTM state."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Hybrid(Convolutional):
    """Autoencoder parallel to CNN → LSTM → attention (§3.2, Fig. 1); each part can be removed."""

    name: str = "hybrid"
    hidden: int = 64
    """Width of the LSTM state."""
    cnn: bool = True
    """false: the LSTM reads the window directly. Cannot be false together with `lstm`."""
    lstm: bool = True
    """false: the last CNN step replaces the last LSTM state. Not together with `cnn`."""
    attention: bool = True
    """false: the mean over time replaces the context vector."""
    attention_axis: Literal["time", "channel"] = "time"
    """Axis of the attention weights of eq. 10–12: time steps (the paper), or feature channels."""
    autoencoder_depth: int = 2
    """Layers of the encoder; 0 removes the autoencoder."""
    autoencoder_placement: Literal["parallel", "inline"] = "parallel"
    """`parallel`: in parallel with the sequence stage; `inline`: before it, per step."""
    latent: int = 32
    """Width of the latent space."""
    matched_depth: int = 0
    """Without an autoencoder: widen the other parts until the network has as many parameters as
    with an autoencoder of this depth. 0: do not widen."""
    logarithm: bool = False
    """Read sign(x) · log(1 + |x|) of the normalised readings x, so that few large ones do not
    outweigh the rest."""
    changes: bool = False
    """Read log(1 + |Δx| / u) beside the readings x, u being the channel's usual change from step to
    step. Of a channel that moves in most windows a stuck value shows there, however wide its daily
    swing. Not with an `inline` autoencoder."""
    flat_lines: bool = False
    """A window at whose end a channel repeats its value for more than twice as long as it usually
    does at most has a score of 1, by a rule beside the network."""
    statistics: int = 0
    """Bins of a branch that reads the window's statistics in piecewise-linear encoding, beside the
    sequence stage; 0: no such branch."""
    reconstruct: Literal["all", "normal"] = "normal"
    """Windows that the autoencoder is trained on."""
    reconstruction_weight: float = 0.5
    """λ: weight of the reconstruction error in the loss."""


@dataclass(kw_only=True, slots=True, frozen=True)
class HybridCausal(Deep):
    """A hybrid for streams: autoencoder per step, causal convolution, LSTM, attention over T
    states."""

    name: str = "hybrid_causal"
    channels: int = 64
    """Feature maps of the convolution."""
    kernel: int = 3
    """Kernel size of the convolution in steps: the current one and those before it."""
    hidden: int = 64
    """Width of the LSTM state."""
    autoencoder_depth: int = 2
    """Layers of the encoder, at least 1."""
    latent: int = 8
    """Width of a step's latent space."""
    reconstruction_weight: float = 0.5
    """λ: weight of the reconstruction error in the loss."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Autoencoder(ModelConfig):
    """Autoencoder whose score is the reconstruction error (§3.2.1); trained on windows not labelled
    as attack, so it needs no labels."""

    name: str = "autoencoder"
    depth: int = 2
    """Layers of the encoder, at least 1."""
    latent: int = 32
    """Width of the latent space."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Logistic(ModelConfig):
    """Logistic regression on window statistics."""

    name: str = "logistic"
    strength: float = 1.0
    """Inverse of the L2 penalty."""


@dataclass(kw_only=True, slots=True, frozen=True)
class RandomForest(ModelConfig):
    """Random forest on window statistics."""

    name: str = "random_forest"
    trees: int = 200
    """Number of trees."""


@dataclass(kw_only=True, slots=True, frozen=True)
class GradientBoosting(ModelConfig):
    """Histogram gradient boosting on window statistics."""

    name: str = "gradient_boosting"
    iterations: int = 100
    """Number of boosting rounds."""


@dataclass(kw_only=True, slots=True, frozen=True)
class IsolationForest(ModelConfig):
    """Isolation forest on window statistics; trained on windows not labelled as attack,
    so it needs no labels."""

    name: str = "isolation_forest"
    trees: int = 200
    """Number of trees."""


def model_names() -> list[str]:
    """Names of the package's models."""
    return sorted(_by_name())


def model_class(name: str) -> type[ModelConfig]:
    """The options class of a model. Raises KeyError: unknown name; UsageError: `name` is a path
    of a file without a model."""
    if not name.endswith(".py"):
        return _by_name()[name]
    config = getattr(user_module(name), "Config", None)
    if not (isinstance(config, type) and is_dataclass(config) and issubclass(config, ModelConfig)):
        raise UsageError(
            f"{name}: no dataclass `Config` that extends anomalynet.config.model.ModelConfig",
            "anomalynet/models/README.md shows one",
        )
    return config


def user_module(path: str) -> ModuleType:
    """Import a user's own model file. Modules are cached by content, so that an edited file is
    imported again. Raises UsageError: no such file, or it cannot be imported; names the line."""
    file = Path(path).resolve()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16] if is_file(file) else ""
    name = f"anomalynet_user_{file.stem}_{digest}"
    if digest and name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if not digest or spec is None or spec.loader is None:
        others = [other.name for other in file.parent.glob("*.py")]
        near = difflib.get_close_matches(file.name, others, n=1)
        how = f"did you mean {near[0]}?" if near else f"the path is from {Path.cwd()}"
        raise UsageError(f"model.name: no such file {path}", how)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise in_user_file(path, error) from None
    return module


def in_user_file(path: str, error: BaseException) -> UsageError:
    """An exception as one message that names the last line in the user's model file."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace:
        if Path(trace.tb_frame.f_code.co_filename) == Path(path).resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    what = f"{path}:{line or 1}: {type(error).__name__}: {error}"
    return UsageError(what, "correct your model file")


def _by_name() -> dict[str, type[ModelConfig]]:
    classes = [value for value in globals().values() if isinstance(value, type)]
    configs = [value for value in classes if issubclass(value, ModelConfig)]
    return {config().name: config for config in configs if config().name}

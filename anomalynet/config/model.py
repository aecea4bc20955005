"""One small dataclass per model; `name` picks the module of the same name in `anomalynet/models/`,
or the path of a file of the user's own. Never imports torch."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import sys
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from anomalynet.errors import UsageError


@dataclass(kw_only=True, slots=True, frozen=True)
class ModelConfig:
    """What every model has: a name."""

    name: str = ""
    """The model, or the path of your own: `./mine.py`."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Deep(ModelConfig):
    """What every classifying network has."""

    head: int = 64
    """Width of the fully connected layer before the two classes."""
    dropout: float = 0.2
    """Share of that layer dropped in training (Table 1)."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Convolutional(Deep):
    """What every network with a convolutional stage has."""

    channels: int = 64
    """Feature maps of the convolution."""
    kernel: int = 3
    """Steps the convolution sees, odd."""
    pool: int = 2
    """Steps that max pooling merges; 1 = no pooling."""
    convolution: Literal["1d", "2d"] = "1d"
    """`1d` over time; `2d` over (time, channel), the literal eq. 9."""


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
    """Autoencoder beside CNN → LSTM → attention (§3.2, Fig. 1); each part can be switched off."""

    name: str = "hybrid"
    hidden: int = 64
    """Width of the LSTM state."""
    cnn: bool = True
    """Off: the LSTM reads the window itself. Not off together with `lstm`."""
    lstm: bool = True
    """Off: the last CNN step stands for the last LSTM state. Not off together with `cnn`."""
    attention: bool = True
    """Off: the mean over time stands for the context vector."""
    attention_axis: Literal["time", "channel"] = "time"
    """What eq. 10–12 weigh: time steps (the paper), or feature channels."""
    autoencoder_depth: int = 2
    """Layers of the encoder; 0 removes the autoencoder."""
    autoencoder_placement: Literal["parallel", "inline"] = "parallel"
    """`parallel` beside the sequence stage; `inline` in front of it, per step."""
    latent: int = 32
    """Width of the latent space."""
    matched_depth: int = 0
    """Without an autoencoder: the other parts grow until the network has as many parameters as with
    one of this depth; 0 leaves them."""
    reconstruct: Literal["all", "normal"] = "normal"
    """Which windows the autoencoder learns from."""
    reconstruction_weight: float = 0.5
    """λ: weight of the reconstruction error in the loss."""


@dataclass(kw_only=True, slots=True, frozen=True)
class HybridCausal(Deep):
    """The hybrid made for streams: an autoencoder per step, causal convolution, LSTM, attention
    over the last T states."""

    name: str = "hybrid_causal"
    channels: int = 64
    """Feature maps of the convolution."""
    kernel: int = 3
    """Steps the convolution sees: the present one and those before it."""
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
    """Reconstruction error alone (§3.2.1), trained on windows not labelled as attack; needs no
    label."""

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
    """Isolation forest on window statistics; trained on windows not labelled as attack, needs no
    label."""

    name: str = "isolation_forest"
    trees: int = 200
    """Number of trees."""


def model_names() -> list[str]:
    """Names of the models that come with the package."""
    return sorted(_by_name())


def model_class(name: str) -> type[ModelConfig]:
    """The options of a model. Raises KeyError: no model of that name; UsageError: `name` is a path,
    and no model can be read there."""
    if not name.endswith(".py"):
        return _by_name()[name]
    config = getattr(user_module(name), "Config", None)
    if not (isinstance(config, type) and is_dataclass(config) and issubclass(config, ModelConfig)):
        what = "no dataclass `Config` that extends anomalynet.config.model.ModelConfig"
        raise UsageError(f"{name}: {what}", "the README shows one")
    return config


def user_module(path: str) -> ModuleType:
    """Import a user's own model file; what is imported already is known by its content, so that an
    edited file counts anew. Raises UsageError: no such file, or it cannot be imported; says in
    which line."""
    file = Path(path).resolve()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:16] if file.is_file() else ""
    name = f"anomalynet_user_{file.stem}_{digest}"
    if digest and name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if not digest or spec is None or spec.loader is None:
        others = [other.name for other in file.parent.glob("*.py")]
        near = difflib.get_close_matches(file.name, others, n=1)
        how = f"did you mean {near[0]}?" if near else None
        raise UsageError(f"model.name: there is no file {path}", how)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise in_user_file(path, error) from None
    return module


def in_user_file(path: str, error: Exception) -> UsageError:
    """An exception as one message that names the last line of the user's model file on its way."""
    line, trace = getattr(error, "lineno", None), error.__traceback__
    while trace:
        if Path(trace.tb_frame.f_code.co_filename) == Path(path).resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    what = f"{path}:{line or 1}: {type(error).__name__}: {error}"
    return UsageError(what, "mend your model file")


def _by_name() -> dict[str, type[ModelConfig]]:
    known = [value for value in globals().values() if isinstance(value, type)]
    configs = [value for value in known if issubclass(value, ModelConfig)]
    return {own().name: own for own in configs if own().name}

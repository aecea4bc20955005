"""What a network is made of: its parts in the order they compute, their shapes and parameters, and
which feeds which, seen on one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from anomalynet.config.schema import Config
from anomalynet.data.windows import WindowShape
from anomalynet.models import build
from anomalynet.models._detector import Detector

INPUT = "input"


def architecture(config: Config, shape: WindowShape) -> dict[str, Any]:
    """The parts of a configuration's network and how values flow between them, traced on a copy
    with two empty windows.

    A part is a module all of whose children are torch's own; operations outside the parts carry
    through where their values came from.

    Returns:
        input: steps and channels of a window.
        parts: in the order they compute, each with its name, kind, parameters, `shapes` of what it
        returns (without the batch), `from`
            (names of parts, or `input`) and `layers` (torch's description of each, and its
            parameters).
        output: names of the parts that the score comes from.
    """
    with torch.random.fork_rng(devices=[]):
        model = build(config, shape)
    if not isinstance(model, Detector):
        raise TypeError(f"{config.model.name} is no network")
    model.eval()
    x = torch.zeros(2, shape.steps, shape.channels)
    trace = _Trace()
    trace.mark(x, {INPUT})
    with torch.no_grad(), trace.watching(model), trace:
        score = model.scores(model(x))
    return {
        "input": [shape.steps, shape.channels],
        "parts": list(trace.parts.values()),
        "output": sorted(trace.sources_of(score)),
    }


class _Trace(TorchFunctionMode):
    """Notes for every tensor which parts it came from."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, dict[str, Any]] = {}
        self._sources: dict[int, set[str]] = {}
        self._kept: list[Tensor] = []  # the address of a tensor that is gone could be another's
        self._within: list[str] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        found = func(*args, **kwargs)
        sources = (
            {self._within[-1]} if self._within else self.sources_of((args, list(kwargs.values())))
        )
        self.mark(found, sources)
        return found

    def mark(self, value: object, sources: set[str]) -> None:
        for tensor in _tensors(value):
            self._sources[id(tensor)] = sources
            self._kept.append(tensor)

    def sources_of(self, value: object) -> set[str]:
        return {
            source for tensor in _tensors(value) for source in self._sources.get(id(tensor), ())
        }

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hooks on every part of a model."""
        hooks = []
        for name, module in _parts(model):

            def enter(module: nn.Module, args: Any, name: str = name) -> None:
                entry = self.parts.setdefault(
                    name,
                    {
                        "name": name,
                        "kind": type(module).__name__,
                        "parameters": _parameters(module),
                    },
                )
                entry["from"] = sorted({*entry.get("from", ()), *self.sources_of(args)})
                self._within.append(name)

            def leave(module: nn.Module, args: Any, result: Any, name: str = name) -> None:
                self._within.pop()
                self.mark(result, {name})
                self.parts[name] |= {
                    "shapes": [list(tensor.shape[1:]) for tensor in _tensors(result)],
                    "layers": _layers(module),
                }

            hooks += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    for name, child in module.named_children():
        own = [inner for inner in child.modules() if inner is not child and not _of_torch(inner)]
        if own:
            yield from _parts(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _layers(module: nn.Module) -> list[dict[str, Any]]:
    leaves = [inner for inner in module.modules() if not list(inner.children())]
    return [{"layer": repr(leaf), "parameters": _parameters(leaf)} for leaf in leaves]


def _of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.")


def _parameters(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters() if weights.requires_grad)


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _tensors(item)

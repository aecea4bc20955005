"""What a network is made of: Lightning's summary of its parts, with the shapes of one pass."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

import torch
from lightning.pytorch.utilities.model_summary.model_summary import ModelSummary
from torch import nn

from anomalynet.models import build

if TYPE_CHECKING:
    from anomalynet.models.base import Detector


def architecture(network: Detector) -> dict[str, Any]:
    """The parts of a network, seen on a pass of two empty windows through another one of the same
    configuration. A part is a module all of whose children are torch's own, as
    `sequence.attention`.

    input: steps and channels of a window. layers: of each part name, type, parameters, `shapes` of
    what it returns (without the batch) and the types `within`. parameters: of all."""
    shape = network.shape
    with torch.random.fork_rng(devices=[]):
        model = cast("Detector", build(network.config, shape))
        model.eval()
        model.example_input_array = torch.zeros(2, shape.steps, shape.channels)
        summary = ModelSummary(model, max_depth=-1)
    columns = (summary.layer_names, summary.layer_types, summary.param_nums, summary.out_sizes)
    layers: list[dict[str, Any]] = []
    for name, kind, parameters, sizes in zip(*columns, strict=True):
        module = model.get_submodule(name)
        if _is_part(module) and not any(name.startswith(f"{one['name']}.") for one in layers):
            several = sizes if isinstance(sizes[0], list) else [sizes]
            leaves = [inner for inner in module.modules() if not list(inner.children())]
            within = Counter(type(leaf).__name__ for leaf in leaves)
            shapes = [size[1:] for size in several]
            layers.append(
                {"name": name, "type": kind, "parameters": parameters, "shapes": shapes}
                | {"within": dict(within)}
            )
    total = sum(weights.numel() for weights in model.parameters())
    return {"input": [shape.steps, shape.channels], "layers": layers, "parameters": total}


def _is_part(module: nn.Module) -> bool:
    inside = (inner for inner in module.modules() if inner is not module)
    return all(type(inner).__module__.startswith("torch.") for inner in inside)

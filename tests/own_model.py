"""The file of a model of a user's own."""

from __future__ import annotations

from textwrap import indent


def own_model(
    forward: str = "return Output(logits=self.layer(self.normalise(x).flatten(1)))",
    *,
    layer: str = "nn.Linear(shape.steps * shape.channels, 2)",
    option: str = "width: int = 4",
    more: str = "",
) -> str:
    """Its text: a class `Mine` of one layer and one option; `more` are further methods."""
    return f"""\
from dataclasses import dataclass
from torch import nn
from anomalynet.config.model import ModelConfig
from anomalynet.models import Detector, Output

@dataclass(kw_only=True, slots=True, frozen=True)
class Config(ModelConfig):
    {option}

class Mine(Detector):
    def __init__(self, config, shape):
        super().__init__(config, shape)
        self.layer = {layer}
    def forward(self, x):
{indent(forward, 8 * " ")}
{indent(more, 4 * " ")}"""

"""Autoencoder beside CNN → LSTM → attention (§3.2, Fig. 1); every part can be switched off."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

from anomalynet.config import model as configs
from anomalynet.config.schema import Config
from anomalynet.data.datamodule import TelemetryDataModule
from anomalynet.data.windows import WindowShape
from anomalynet.layers.attention import Attention
from anomalynet.layers.autoencoder import Autoencoder
from anomalynet.layers.encoding import EncodedStatistics, relative_change, signed_log, usual_change
from anomalynet.layers.flat_line import FlatLine
from anomalynet.layers.sequence import Head, Recurrent, SequenceStage
from anomalynet.models.base import Detector, Output
from anomalynet.models.sequence_classifier import convolution

CERTAIN = 20.0  # added to the logit of attack: the score is 1 to eight digits
SAMPLE = 20_000  # training windows from which bins of statistics and usual changes are taken


class Hybrid(Detector):
    """The paper's network: what the sequence stage sees, and what an autoencoder finds unusual,
    classified together.

    `parallel`: the autoencoder reads the flattened window; its latent vector and log1p of its error
    per channel stand beside the sequence features. `inline`: an autoencoder per step (channels →
    latent) stands in front of the sequence stage, which reads the latent vectors; its decoder
    serves the loss alone. Gradients of the classifier reach the encoder in both.

    Not in the paper, and off by default: statistics of the window are a branch of their own; with
    `changes` the sequence stage also reads how large each change is beside the channel's usual one;
    with `flat_lines` a rule beside the network, outside training, tells stuck channels.

    The loss adds λ times the reconstruction's squared error over the windows that `reconstruct`
    admits; `normal` leaves out those labelled as attack.

    Source: §3.2, Fig. 1, which is not readable; the arrangement is not in the paper.
    """

    config_type = configs.Hybrid
    usual_change: Tensor

    def __init__(self, shape: WindowShape, config: Config | None = None, **options: Any) -> None:
        super().__init__(shape, config, **options)
        config, shape = self.config, self.shape
        settings = cast("configs.Hybrid", config.model)
        if settings.matched_depth > 0:
            settings = _matched(config, settings, shape)
        self.settings = settings
        self.inline = settings.autoencoder_depth > 0 and settings.autoencoder_placement == "inline"
        inputs = settings.latent if self.inline else shape.channels * (1 + settings.changes)
        if settings.changes:
            self.register_buffer("usual_change", torch.ones(shape.channels))
        self.flat_line = FlatLine(*shape) if settings.flat_lines else None
        self.sequence = _sequence_stage(settings, inputs, shape.steps)
        features = self.sequence.out_features
        self.autoencoder: Autoencoder | None = None
        sizes = settings.latent, settings.autoencoder_depth
        self.statistics: EncodedStatistics | None = None
        if settings.statistics > 0:
            self.statistics = EncodedStatistics(
                shape.channels, settings.statistics, settings.head, settings.dropout
            )
            features += settings.head
        if self.inline:
            self.autoencoder = Autoencoder(shape.channels, *sizes)
        elif settings.autoencoder_depth > 0:
            self.autoencoder = Autoencoder(shape.steps * shape.channels, *sizes)
            features += settings.latent + shape.channels
        self.head = Head(features, settings.head, settings.dropout)

    def forward(self, x: Tensor) -> Output:
        """Logits, attention weights, reconstruction and error, where there are such parts, of
        windows x (batch, time, channel), float32."""
        output = self._network(self.normalise(x))
        if self.flat_line is None or self.training:
            return output
        assert output.logits is not None
        surely = CERTAIN * self.flat_line(x)
        attack = torch.stack([torch.zeros_like(surely), surely], dim=1)
        return output._replace(logits=output.logits + attack)

    def _network(self, x: Tensor) -> Output:
        beside = [self.statistics(x)] if self.statistics is not None else []
        changes = [relative_change(x, self.usual_change)] if self.settings.changes else []
        if self.settings.logarithm:
            x = signed_log(x)
        read = torch.cat([x, *changes], dim=2)
        if self.autoencoder is None:
            features, attention = self.sequence(read)
            logits = self.head(torch.cat([features, *beside], dim=1))
            return Output(logits=logits, attention=attention)
        latent, rebuilt = self.autoencoder(x if self.inline else x.flatten(1))
        reconstruction = rebuilt.view_as(x)
        error = (reconstruction - x).square().mean(dim=1)
        features, attention = self.sequence(latent if self.inline else read)
        if not self.inline:
            beside += [latent, torch.log1p(error)]
        logits = self.head(torch.cat([features, *beside], dim=1))
        return Output(logits, reconstruction, error, attention)

    def fit_inputs(self, data: TelemetryDataModule) -> None:
        super().fit_inputs(data)
        if self.flat_line is not None:
            windows = data.windows("train").gather(data.training_sample(SAMPLE))
            self.flat_line.fit(torch.from_numpy(windows), data.prepared.mask)
        if self.statistics is None and not self.settings.changes:
            return
        x = self.normalise(torch.from_numpy(data.learned(data.training_sample(SAMPLE))[0]))
        if self.statistics is not None:
            self.statistics.fit(x)
        if self.settings.changes:
            self.usual_change.copy_(usual_change(x))

    def losses(self, output: Output, target: Tensor) -> Tensor:
        """Classification loss plus λ · reconstruction error (batch,)."""
        losses = super().losses(output, target)
        if output.error is None:
            return losses
        reconstruction = output.error.mean(dim=1)
        if self.settings.reconstruct == "normal":
            reconstruction = reconstruction * (target <= 0)
        return losses + self.settings.reconstruction_weight * reconstruction


def _matched(config: Config, settings: configs.Hybrid, shape: WindowShape) -> configs.Hybrid:
    """Wider convolution, LSTM and head, all by one factor, for about as many parameters as with an
    autoencoder of `matched_depth`; counted without storage: no random number is drawn."""

    def count(tried: configs.Hybrid) -> int:
        with torch.device("meta"):
            network = Hybrid(shape, replace(config, model=tried))
            return network.parameter_count

    def wider(extra: int) -> configs.Hybrid:
        scale = 1 + extra / max(settings.channels, settings.hidden, settings.head)
        names = ("channels", "hidden", "head")
        sizes = {name: round(getattr(settings, name) * scale) for name in names}
        return replace(settings, matched_depth=0, **sizes)

    target = count(replace(settings, matched_depth=0, autoencoder_depth=settings.matched_depth))
    extra = next(extra for extra in itertools.count() if count(wider(extra)) >= target)
    tries = wider(max(extra - 1, 0)), wider(extra)
    return min(tries, key=lambda tried: abs(count(tried) - target))


def _sequence_stage(settings: configs.Hybrid, features: int, steps: int) -> SequenceStage:
    stage = recurrent = attention = None
    if settings.cnn:
        stage = convolution(settings, features)
        features, steps = settings.channels, -(-steps // settings.pool)
    if settings.lstm:
        recurrent = Recurrent(features, settings.hidden)
        features = settings.hidden
    if settings.attention:
        attention = Attention(features, steps, settings.attention_axis)
    return SequenceStage(stage, recurrent, attention, features)

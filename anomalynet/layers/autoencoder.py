"""Fully connected autoencoder: an encoder, a latent space, the mirrored decoder."""

from __future__ import annotations

from itertools import pairwise
from math import floor, log2

from torch import Tensor, nn


def widths(features: int, latent: int, depth: int) -> list[int]:
    """Widths of the encoder's layers, including input and latent space: `depth + 1` numbers.

    The hidden widths are a geometric sequence from input to latent space, each rounded to the
    nearest power of two (upwards from the middle): 256 → 32 in two layers gives 256, 128, 32.

    Source: §3.2.1; the widths are not in the paper.
    """
    start, end = log2(features), log2(latent)
    hidden = [2 ** floor(start + (end - start) * layer / depth + 0.5) for layer in range(1, depth)]
    return [features, *hidden, latent]


class Autoencoder(nn.Module):
    """Compresses its input to a latent vector and reconstructs it; a large error is unusual.

    Encoder layers are h = f(Wx + b) with f = ReLU, decoder layers x̂ = g(W'h + b') with g = ReLU,
    but the identity in the last layer, because readings are not bounded. A network of depth 0 has
    no autoencoder.

    Args:
        features: width of the input, last axis.
        latent: width of the latent space.
        depth: layers of the encoder, at least 1; the decoder has as many.

    Source: §3.2.1.
    """

    def __init__(self, features: int, latent: int, depth: int) -> None:
        super().__init__()
        down = widths(features, latent, depth)
        self.encoder = nn.Sequential(
            *(layer for pair in pairwise(down) for layer in (nn.Linear(*pair), nn.ReLU()))
        )
        mirrored = [
            layer for pair in pairwise(reversed(down)) for layer in (nn.Linear(*pair), nn.ReLU())
        ]
        self.decoder = nn.Sequential(*mirrored[:-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The latent vector (…, latent) and the reconstruction (…, features) of x (…, features),
        float32."""
        latent = self.encoder(x)
        return latent, self.decoder(latent)

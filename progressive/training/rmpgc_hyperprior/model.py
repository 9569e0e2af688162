"""All of the backbone that is trained.

Legend: N photos; h x w cells; R x K blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import HYPER_CHANNELS, HYPER_REACH, SIDE
from progressive.codecs.rmpgc.backbones.hyperprior.encoder import Encoder
from progressive.codecs.rmpgc.backbones.hyperprior.model import Decoder
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Priors
from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import ROUNDING, Steps, quantised
from progressive.training.discriminators import Discriminators
from progressive.training.laplace import index_bits
from progressive.training.rmpgc_hyperprior.walk import Layered, walk


class HyperEntropy(nn.Module):
    """What a hyperprior costs in training: a Laplace distribution for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(HYPER_CHANNELS, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(HYPER_CHANNELS, 1, 1))

    def forward(self, hyper: Tensor) -> Tensor:
        """[N, 8, R, K] -> bits of each block, [N, R, K]."""
        return index_bits(hyper, self.mean, self.log_scale).sum(1)


@dataclass(frozen=True)
class Encoded:
    """What the encoder makes of photos.

    Fields:
        base, enhance: the layers.
        hypers: the hyperpriors of both before they are rounded, [N, 8, R, K].
    """

    base: Layered
    enhance: Layered
    hypers: tuple[Tensor, Tensor]


class Trainee(nn.Module):
    """Encoder, priors, decoder, and the discriminators, which no file holds.

    Transform and quantiser are the encoder's; the decoder's are the same modules.

    Fields:
        usual: historical means of the second phase's losses (`second.LOSSES`).
    """

    usual: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.priors = Priors()
        self.encoder, self.decoder = Encoder(), Decoder()
        self.decoder.linear, self.decoder.quantiser = self.encoder.linear, self.encoder.quantiser
        self.base_entropy, self.enhance_entropy = HyperEntropy(), HyperEntropy()
        self.discriminators = Discriminators()
        self.register_buffer("usual", torch.zeros(2))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encoded(self, photos: Tensor, rng: np.random.Generator | None = None, *, rounding: float = ROUNDING) -> Encoded:
        """The latent of RGB in 0..1, [N, 3, 16 h, 16 w]; with what stands for rounding if random numbers are given.

        `rounding` is the quantiser's.
        """
        base, wanted = self.encoder.coefficients(photos)
        steps = self.encoder.quantiser
        coarse = _layer(base, steps.base, rng, rounding)
        fine = _layer(steps.left(wanted, coarse.expected), steps.enhance, rng, rounding)
        return Encoded(coarse, fine, (self.encoder.base_hyper(base), self.encoder.enhance_hyper(fine.wanted)))

    def bits(self, encoded: Encoded, rng: np.random.Generator | None = None) -> list[Tensor]:
        """Bits of base and enhance layer, of each block, [N, R, K].

        Given random numbers gradients reach the encoder: from the bits as if noise had been added, from what is
        expected as if nothing had been rounded (Minnen and Singh 2020).
        """
        symbols = [rounded_hyper(hyper) for hyper in encoded.hypers]
        found = walk(self.priors, encoded.base, encoded.enhance, symbols)
        shown = symbols if rng is None else [hyper + noise_like(hyper, rng) for hyper in encoded.hypers]
        return [
            bits + entropy(hyper)
            for bits, entropy, hyper in zip(found, (self.base_entropy, self.enhance_entropy), shown, strict=True)
        ]

    def pictures(self, encoded: Encoded, blocks: Tensor) -> Tensor:
        """The decoder's, RGB around 0..1, of which these blocks have the enhance layer, [N, R, K]."""
        return self.decoder.pictures(encoded.base.expected, encoded.enhance.expected, masks_of(blocks))


def rounded_hyper(hyper: Tensor) -> Tensor:
    """A hyperprior's symbols, with gradients as if they had not been rounded."""
    return hyper + (hyper.round().clamp(-HYPER_REACH, HYPER_REACH) - hyper).detach()


def noise_like(values: Tensor, rng: np.random.Generator) -> Tensor:
    """What stands for rounding, evenly in -0.5..0.5, of the same shape."""
    return torch.from_numpy(rng.random(tuple(values.shape), np.float32) - 0.5).to(values.device)


def masks_of(blocks: Tensor) -> Tensor:
    """Which blocks have the enhance layer, [N, R, K], as a mask of cells, [N, 1, h, w]."""
    return blocks.float()[:, None].repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)


def _layer(wanted: Tensor, steps: Steps, rng: np.random.Generator | None, rounding: float) -> Layered:
    index = quantised(wanted.detach(), rounding)
    expected = steps.expected(index) + (wanted - wanted.detach())
    return Layered(wanted, index, expected, None if rng is None else wanted + noise_like(wanted, rng))

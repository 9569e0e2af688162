"""All of the label-guided codec that is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from progressive.codecs.label_guided.analysis import Analysis, HyperAnalysis
from progressive.codecs.label_guided.linear import Linear
from progressive.codecs.label_guided.model import Priors
from progressive.codecs.label_guided.prior import HYPER_CHANNELS
from progressive.codecs.label_guided.segmentation import Segmentation
from progressive.codecs.label_guided.steps import quantised, steps_of
from progressive.codecs.label_guided.synthesis import Synthesis
from progressive.training.label_guided.discriminators import Discriminators
from progressive.training.label_guided.walk import Walked, rounded_hyper, walk
from progressive.training.laplace import index_bits


@dataclass(frozen=True)
class Noise:
    """What stands for rounding, -0.5..0.5. Fields: of coefficients [N, C, h, w]; of the hyperprior [N, 8, R, K]."""

    coefficients: Tensor
    hyper: Tensor


class HyperEntropy(nn.Module):
    """What the hyperprior costs in training: a Laplace distribution for each channel."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(HYPER_CHANNELS, 1, 1))
        self.log_scale = nn.Parameter(torch.zeros(HYPER_CHANNELS, 1, 1))

    def forward(self, hyper: Tensor) -> Tensor:
        """[N, 8, R, K] -> bits of each photo, [N]."""
        return index_bits(hyper, self.mean, self.log_scale).sum((1, 2, 3))


class Trainee(nn.Module):
    """Segmentation, priors, the networks of encoder and decoder, and the discriminators, which no file holds.

    Fields:
        first_synthesis: the decoder's network as the second stage began with it, from then on.
        is_second: one from then on, zero before.
    """

    is_second: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.segmentation = Segmentation()
        self.priors = Priors()
        self.linear = Linear()
        self.analysis = Analysis()
        self.hyper_analysis = HyperAnalysis()
        self.hyper_entropy = HyperEntropy()
        self.synthesis = Synthesis()
        self.first_synthesis = Synthesis()
        self.register_buffer("is_second", torch.zeros(()))
        self.discriminators = Discriminators()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def begin_second(self) -> None:
        """The second stage begins with the decoder's network as it is."""
        self.first_synthesis.load_state_dict(self.synthesis.state_dict())
        self.is_second.fill_(1)

    @torch.no_grad()
    def interpolate(self, first_share: float) -> None:
        """Moves the decoder's network back by a share towards where the second stage began.

        Network interpolation, as Iwai et al. have it from earlier work: a little of the first stage keeps calm areas
        calm and costs next to nothing elsewhere.
        """
        for own, first in zip(self.synthesis.parameters(), self.first_synthesis.parameters(), strict=True):
            own.lerp_(first, first_share * float(self.is_second))

    def coefficients(self, photos: Tensor, levels: Tensor) -> Tensor:
        """What the encoder makes of photos, in steps, [N, C, h, w].

        Args:
            photos: RGB in 0..1, [N, 3, 16 h, 16 w].
            levels: of the photos, [N].
        """
        found = self.linear.analyse(photos).float() / steps_of(levels).view(-1, 1, 1, 1)
        added: Tensor = self.analysis(photos, levels)
        return found + added

    def walk(self, coefficients: Tensor, labels: Tensor, levels: Tensor, noise: Noise | None = None) -> Walked:
        """Bits, and what a receiver expects, in steps.

        With noise gradients reach coefficients and hyperprior: from the bits as if noise had been added, from what is
        expected as if nothing had been rounded (Minnen and Singh 2020).
        """
        hyper = self.hyper_analysis(coefficients, levels)
        if noise is None:
            symbols = rounded_hyper(hyper)
            found = walk(self.priors.latent, quantised(coefficients), symbols, labels, levels)
            return found.plus(self.hyper_entropy(symbols))
        index, symbols = quantised(coefficients.detach()), rounded_hyper(hyper)
        noisy = coefficients + noise.coefficients
        found = walk(self.priors.latent, index, symbols, labels, levels, noisy)
        passed = coefficients - coefficients.detach()
        return Walked(found.bits, found.values + passed).plus(self.hyper_entropy(hyper + noise.hyper))

    def decode(self, values: Tensor, labels: Tensor, known: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """The linear picture and the decoder's, around 0..1.

        Args:
            values: coefficients in steps, zero where they are missing, [N, C, h, w].
            labels: classes or BLANK, int64 [N, h, w].
            known: how many groups each cell has, [N, h, w].
        """
        absolute = values * steps_of(levels).view(-1, 1, 1, 1)
        linear: Tensor = self.linear.synthesise(absolute).float()
        picture: Tensor = self.synthesis(linear, absolute, labels, known, levels).float()
        return linear, picture

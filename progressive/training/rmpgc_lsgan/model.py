"""All of the LS-GAN backbone that is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.lsgan.networks import Generator
from progressive.training.discriminators import Discriminators

TERMS = ("error", "features", "adversarial", "rate")
"""Of the loss: MSE, SFM, GAN and R of the paper."""

FORGETTING = 0.02
"""Share of a term's mean that a step renews."""


class Trainee(nn.Module):
    """The generator is what is kept. Field: means: how large each term of the loss has been; zero before its first."""

    means: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.generator, self.discriminators = Generator(), Discriminators()
        self.register_buffer("means", torch.zeros(len(TERMS)))
        self.requires_grad_(True)

    def scaled(self, term: str, value: Tensor) -> Tensor:
        """A term over its historical mean, so that all are of one size (section V-A)."""
        number, now = TERMS.index(term), value.detach().float()
        before = self.means[number]
        self.means[number] = torch.where(before > 0, before + FORGETTING * (now - before), now)
        return value / self.means[number].clamp(min=1e-8)

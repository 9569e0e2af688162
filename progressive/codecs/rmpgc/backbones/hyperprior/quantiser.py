"""The quantiser: a step for each channel, and where in their bins coefficients are taken to be.

Legend: N photos; C channels of a layer; h x w cells.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE, CHANNELS
from progressive.exact.laplace import MAX_INDEX

BASE_STEP, ENHANCE_STEP = 0.84, 0.28
"""Where the steps begin, for photo values in 0..1 under an orthonormal transform: three fine ones in a coarse one."""

ROUNDING = 0.4
"""A coefficient is rounded away from zero from this far beyond a whole number: most are zero, and one just above half a
step is not worth its bits."""


class Steps(nn.Module):
    """The steps of a layer. Arguments: its channels; where their steps begin.

    Fields:
        octaves: logarithms to base two of the steps, [C, 1, 1].
        nearer: how much nearer to zero than its index a coefficient is expected, in steps: of indices of one, and of
            larger ones, [2, C, 1, 1].
    """

    def __init__(self, channels: int, start: float) -> None:
        super().__init__()
        self.octaves = nn.Parameter(torch.full((channels, 1, 1), math.log2(start)))
        self.nearer = nn.Parameter(torch.zeros(2, channels, 1, 1))

    @property
    def sizes(self) -> Tensor:
        """[C, 1, 1]."""
        return torch.exp2(self.octaves)

    def expected(self, index: Tensor) -> Tensor:
        """Where coefficients of these indices are, in steps, [N, C, h, w]."""
        return index - torch.sign(index) * torch.where(index.abs() > 1, self.nearer[1], self.nearer[0])


class Quantiser(nn.Module):
    """Both layers: what the base leaves of its coefficients is the enhance layer's first group."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Steps(BASE, BASE_STEP)
        self.enhance = Steps(CHANNELS, ENHANCE_STEP)

    def left(self, wanted: Tensor, base: Tensor) -> Tensor:
        """What the enhance layer has to tell.

        Args:
            wanted: all coefficients, in its steps, [N, CHANNELS, h, w].
            base: the base's expected ones, in the base's steps, [N, BASE, h, w].
        """
        known = base * (self.base.sizes / self.enhance.sizes[:BASE])
        return torch.cat([wanted[:, :BASE] - known, wanted[:, BASE:]], 1)

    def values(self, base: Tensor, enhance: Tensor) -> Tensor:
        """Coefficients in photo values, [N, CHANNELS, h, w], of both layers' expected ones in their steps."""
        found = enhance * self.enhance.sizes
        return torch.cat([found[:, :BASE] + base * self.base.sizes, found[:, BASE:]], 1)


def quantised(values: Tensor, rounding: float = ROUNDING) -> Tensor:
    """Coefficients in steps -> indices, the same shape; centred on zero whatever is expected."""
    return torch.sign(values) * torch.floor(values.abs() + rounding).clamp(max=MAX_INDEX)

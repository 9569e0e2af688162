"""Gradients through RMPGC's quantiser, by what the neighbouring bin would cost.

What a coefficient costs is a staircase in its value: constant in a bin, a step to the next one. Averaged over small
shifts every step is a ramp: a coefficient near its bin's edge pays a share of the difference to the neighbour.
`crossing` has the ramp's slope; times the true difference, it is a gradient that knows that leaving a dead zone costs
bits and may cost quality too, which a straight-through gradient does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from progressive.codecs.rmpgc.quantiser import SPLITS, bin_of, width_of

RAMP = 0.25
"""Width of the ramps, as a share of the bins': narrow ones are truer, wide ones reach more coefficients."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """How coefficients would come into a neighbouring bin.

    Fields:
        direction: the neighbour's index less one's own, -1 or 1; 0 away from edges.
        share: zero, with the gradient of the neighbour's share.
    """

    direction: Tensor
    share: Tensor

    def within(self, symbols: Tensor, parents: Tensor, plane: int) -> Crossing:
        """Without those that would leave the bins of these parents, given their symbols of a plane."""
        neighbours = symbols + self.direction
        stays = neighbours.abs() <= 1
        if SPLITS[plane - 1] == 2:
            stays &= neighbours * torch.sign(parents) >= 0
        return Crossing(self.direction * stays, self.share * stays)


def crossing(latent: Tensor, index: Tensor, plane: int) -> Crossing:
    """The neighbours of coefficients that have these indices of a plane."""
    lower, upper = bin_of(index, plane)
    width = RAMP * width_of(plane)
    above, below = (latent - upper) / width + 0.5, (lower - latent) / width + 0.5
    share = torch.maximum(above, below).clamp(0, 0.5)
    direction = torch.where(share > 0, torch.sign(above - below), 0).detach()
    return Crossing(direction, share - share.detach())

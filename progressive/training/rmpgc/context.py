"""What the transform is trained against: a strong context model of indices at any step.

The codec's own networks code planes, which a photo needs several walks for; no loss from planes was ever found, so this
codes indices of one step directly, in one walk: a logistic distribution of a mean and a scale for each. It knows what
the codec's networks will know, so that the transform does not learn what contexts tell anyhow.

Legend: N photos; C coefficients a position; h x w positions of a scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.probability import BANDS, Walk
from progressive.codecs.rmpgc.backbones.multiscale.scales import SCALES
from progressive.exact.passes import Place

WIDTH = 48
RATES = 4
"""Numbers that tell the model which step is coded."""

DEAD_ZONE = quantiser.DEAD_ZONE / quantiser.STEP
"""Half the width of the bin around zero, in steps."""

RAMP = 0.5
"""Width of the ramps from bin to bin, as a share of a step (`cost_of`): narrow ones are truer, wide ones reach more."""

LOG_SCALES = (-4.0, 4.0)
LEAST_PROBABILITY = 1e-9


class Context(nn.Module):
    """Mean and log scale, in steps, of every index; and how far inside their bins coefficients lie, by index size."""

    def __init__(self) -> None:
        super().__init__()
        self.walk = Walk(RATES, WIDTH, 2, 1, SCALES)
        self.inward = nn.Parameter(torch.full((3,), 0.06))

    def forward(self, indices: list[Tensor], fineness: Tensor) -> list[Tensor]:
        """Indices of all scales, [N, C, h, w], and halvings of the base's step, [N] -> parameters [N, 2, C, h, w]."""
        u = fineness
        rate = torch.stack([u, u * u / 3, torch.sin(1.5 * u), torch.cos(1.5 * u)], 1)[:, :, None, None]
        carried = indices[0].new_zeros(len(u), WIDTH, *indices[0].shape[2:])
        found: list[Tensor] = []
        for scale, index in enumerate(indices):
            passes = _Passes(index)
            features = self.walk.features([rate.expand(-1, -1, *index.shape[2:])], carried, scale)
            seen = self.walk.code(scale, features, _blank(index), scale, passes, _described)
            found.append(passes.parameters)
            if scale < SCALES - 1:
                carried = self.walk.carried(scale, self.walk.after(features, seen, scale))
        return found

    def values(self, index: Tensor, step: Tensor) -> Tensor:
        """Expected coefficients for indices; steps [N, 1, 1, 1]."""
        size = index.abs()
        inward = torch.where(size < 1.5, self.inward[0], torch.where(size < 2.5, self.inward[1], self.inward[2]))
        return torch.sign(index) * (size - 0.5 + DEAD_ZONE - inward) * step * (size > 0)


class _Passes:
    """A pass coder that hands out true indices and keeps all parameters."""

    def __init__(self, index: Tensor) -> None:
        self._index = index
        count, channels, height, width = index.shape
        self.parameters = index.new_zeros(count, 2, channels, height, width)

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        for number in range(2):
            place.write_coefficients(parameters[:, number].float(), self.parameters[:, number])
        return place.coefficients(self._index)


@dataclass(frozen=True)
class Cost:
    """What the indices of a scale cost, of each photo [N].

    Fields:
        bits: by the model.
        marginal: zero, with the gradient of what crossing to a neighbouring bin would cost.
        bend: the same for the squared error.
        values: what is read from the indices, [N, C, h, w], with gradients to the coefficients.
    """

    bits: Tensor
    marginal: Tensor
    bend: Tensor
    values: Tensor


def index_of(values: Tensor, step: Tensor) -> Tensor:
    """Indices of coefficients, with the base's dead zone."""
    return torch.sign(values) * torch.floor(values.abs() / step + 1 - DEAD_ZONE)


def cost_of(context: Context, values: Tensor, index: Tensor, step: Tensor, parameters: Tensor) -> Cost:
    """The cost of a scale's indices, and gradients to its coefficients by what the neighbouring bin would cost.

    What a coefficient costs is a staircase; averaged over small shifts every stair is a ramp, so a coefficient near an
    edge pays a share of the difference. That knows, as a straight-through gradient does not, that leaving the dead zone
    costs bits.
    """
    mean, log_scale = parameters.unbind(1)
    bits = bits_of(index, mean, log_scale)
    read = context.values(index, step)
    side = torch.where(index == 0, torch.sign(values.detach()), torch.sign(index))
    at, size = values / step * side, index.abs()
    above = (at - size - DEAD_ZONE) / RAMP + 0.5
    below = torch.where(size > 0, (size - 1 + DEAD_ZONE - at) / RAMP + 0.5, -1.0)
    share = torch.maximum(above, below).clamp(0, 0.5)
    neighbour = index + (torch.where(above > below, 1.0, -1.0) * side * (share > 0)).detach()
    with torch.no_grad():
        more = bits_of(neighbour, mean, log_scale) - bits
        leap = context.values(neighbour, step) - read
    share = share - share.detach()
    whole, marginal, bend = (t.sum((1, 2, 3)) for t in (bits, share * more, share * leap.square()))
    return Cost(whole, marginal, bend, read + share * leap)


def bits_of(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of indices under logistic distributions over steps, elementwise."""
    size = index.abs()
    near = torch.where(size > 0, size - 1 + DEAD_ZONE, -DEAD_ZONE)
    far = size + DEAD_ZONE
    low, high = torch.where(index < 0, -far, near), torch.where(index < 0, -near, far)
    side = torch.where((low + high) / 2 > mean, -1.0, 1.0)
    inverse = torch.exp(-log_scale.clamp(*LOG_SCALES))
    inside = torch.sigmoid(side * (high - mean) * inverse) - torch.sigmoid(side * (low - mean) * inverse)
    return -torch.log(inside.abs().clamp(min=LEAST_PROBABILITY)) / math.log(2)


def _described(values: Tensor) -> Tensor:
    """Indices of one or two colours as inputs, [N, 6 or 12, h, w]: sizes of those above zero, then of those below."""
    size = torch.log1p(values.abs())
    signed = torch.cat([size * (values > 0), size * (values < 0)], 1)
    if values.shape[1] % BANDS:  # the lowest band, one a colour
        signed = nn.functional.pad(signed[:, :, None], (0, 0, 0, 0, 0, BANDS - 1)).flatten(1, 2)
    return signed


def _blank(index: Tensor) -> Tensor:
    return index.new_zeros(len(index), 6 * BANDS, *index.shape[2:])

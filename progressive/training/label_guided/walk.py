"""The prior over whole latents in training: what they cost, and where it expects coefficients.

Legend: N photos; C coefficients a cell, h x w cells; R x K blocks.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.prior import HYPER_REACH, Prior
from progressive.codecs.label_guided.steps import ROUNDING, steps_of
from progressive.codecs.label_guided.tile import from_blocks, to_blocks
from progressive.exact.passes import Place
from progressive.training.laplace import LOG_SCALE_RANGE, index_bits


@dataclass(frozen=True)
class Walked:
    """What a walk finds.

    Fields:
        bits: of each part and photo, [groups, N]; the hyperprior's are those of the first group.
        values: expected coefficients, in steps, [N, C, h, w].
    """

    bits: Tensor
    values: Tensor

    def plus(self, hyper: Tensor) -> Walked:
        """With the bits of the hyperprior, [N]."""
        return Walked(torch.cat([self.bits[:1] + hyper, self.bits[1:]]), self.values)


def walk(
    prior: Prior, index: Tensor, hyper: Tensor, labels: Tensor, levels: Tensor, noisy: Tensor | None = None
) -> Walked:
    """Takes whole photos through the prior.

    Args:
        index: [N, C, h, w].
        hyper: the hyperprior's symbols, with gradients, [N, 8, R, K].
        labels: classes or BLANK, int64 [N, h, w].
        levels: of the photos, [N].
        noisy: coefficients that were not rounded, but have as much noise as if they had been: what the bits' gradients
            pass to. A rounded one would have none where it is zero.
    """
    count, _, rows, columns = hyper.shape
    first = _Coder(index, levels, noisy)
    context = to_blocks(prior.code_first(hyper, labels, levels, first))
    blocks = _Coder(to_blocks(index), levels, None if noisy is None else to_blocks(noisy))
    bits = [first.bits]
    for group in range(ROOT + 1, len(GROUPS)):
        before = blocks.bits
        context = prior.code_later(group, context, blocks)
        bits.append((blocks.bits - before).view(count, -1).sum(1))
    values = from_blocks(blocks.values, rows, columns)
    values[:, GROUPS[ROOT]] = first.values[:, GROUPS[ROOT]]
    return Walked(torch.stack(bits), values)


def rounded_hyper(hyper: Tensor) -> Tensor:
    """The hyperprior's symbols, with gradients as if they had not been rounded."""
    return hyper + (hyper.round().clamp(-HYPER_REACH, HYPER_REACH) - hyper).detach()


@dataclass
class _Coder:
    """A pass coder that hands out the true indices; adds up bits of each item, and notes expected values."""

    index: Tensor
    levels: Tensor
    noisy: Tensor | None
    bits: Tensor = field(init=False)
    values: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.bits, self.values = self.index.new_zeros(len(self.index)), torch.zeros_like(self.index)

    def __call__(self, place: Place, parameters: Tensor) -> Tensor:
        index = place.coefficients(self.index)
        mean, log_scale = parameters.float().unbind(1)
        if place.scale == ROOT:
            mean = mean / steps_of(self.levels).repeat_interleave(place.items).view(-1, 1, 1, 1)
        cost = index_bits(index, mean, log_scale)
        if self.noisy is not None:
            soft = index_bits(place.coefficients(self.noisy), mean.detach(), log_scale.detach())
            cost = cost + soft - soft.detach()
        with torch.no_grad():
            place.write_coefficients(centroid(index, mean, log_scale), self.values)
        self.bits = self.bits + cost.reshape(len(self.bits), -1).sum(1)
        return index


def centroid(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Where coefficients of a Laplace distribution lie on average in the bins of their indices, elementwise."""
    scale = torch.exp2(log_scale.clamp(*LOG_SCALE_RANGE))
    index = index + (0.5 - ROUNDING) * torch.sign(index)
    away = index - mean
    # A bin beyond the mean: density falls from its near edge.
    inner = scale - 1 / torch.expm1((1 / scale).clamp(max=80))
    outside = torch.sign(away) * (inner - 0.5)
    # The bin about the mean: an even mixture of both sides, each cut at its edge.
    above, below = (0.5 + away).clamp(0, 1), (0.5 - away).clamp(0, 1)
    mass = [1 - torch.exp(-edge / scale) for edge in (above, below)]
    moment = [scale * m - edge * torch.exp(-edge / scale) for m, edge in zip(mass, (above, below), strict=True)]
    inside = (moment[0] - moment[1]) / (mass[0] + mass[1]).clamp(min=1e-6) - away
    return index + torch.where(away.abs() < 0.5, inside, outside)

"""The priors over whole photos in training: what indices cost.

Legend: N photos; B blocks of all of them; C channels; h x w cells; R x K blocks of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE_GROUPS, GROUPS, SIDE
from progressive.codecs.rmpgc.backbones.hyperprior.prior import Priors
from progressive.training.laplace import index_bits


@dataclass(frozen=True)
class Layered:
    """A layer of photos.

    Fields:
        wanted: coefficients in steps, [N, C, h, w].
        index: what is coded.
        expected: what a receiver takes coefficients for, with the gradients of `wanted`.
        noisy: coefficients that were not rounded, but have as much noise as if they had been: what the bits' gradients
            pass to. A rounded one would have none where it is zero.
    """

    wanted: Tensor
    index: Tensor
    expected: Tensor
    noisy: Tensor | None


def walk(priors: Priors, base: Layered, enhance: Layered, hypers: Sequence[Tensor]) -> list[Tensor]:
    """Bits of the indices of base and enhance layer, of each block, [N, R, K].

    `hypers` are the two hyperpriors' symbols, with gradients, [N, 8, R, K].
    """
    count, _, rows, columns = hypers[0].shape
    features = priors.base.features(hypers[0])
    of_base = torch.zeros(count, rows, columns, device=hypers[0].device)
    for number, group in enumerate(BASE_GROUPS):
        of_base = of_base + _bits(base, priors.base.parameters_of(number, features), group)
        if number + 1 < len(BASE_GROUPS):
            features = priors.base.following(number, features, base.index[:, group])
    features = priors.enhance.features(to_blocks(hypers[1], 1), to_blocks(base.index, SIDE))
    of_enhance = torch.zeros_like(of_base)
    for number, group in enumerate(GROUPS):
        own = from_blocks(priors.enhance.parameters_of(number, features).flatten(1, 2), rows, columns)
        of_enhance = of_enhance + _bits(enhance, torch.unflatten(own, 1, (2, -1)), group)
        if number + 1 < len(GROUPS):
            features = priors.enhance.following(number, features, to_blocks(enhance.index[:, group], SIDE))
    return [of_base, of_enhance]


def to_blocks(values: Tensor, side: int) -> Tensor:
    """[N, C, R s, K s] -> [B, C, s, s], channels_last."""
    grid = torch.unflatten(torch.unflatten(values, 3, (-1, side)), 2, (-1, side))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2).contiguous(memory_format=torch.channels_last)


def from_blocks(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse, of photos of so many blocks."""
    grid = torch.unflatten(blocks, 0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)


def _bits(layer: Layered, parameters: Tensor, channels: slice) -> Tensor:
    mean, log_scale = parameters.float().unbind(1)
    cost = index_bits(layer.index[:, channels], mean, log_scale)
    if layer.noisy is not None:
        soft = index_bits(layer.noisy[:, channels], mean.detach(), log_scale.detach())
        cost = cost + soft - soft.detach()
    return F.avg_pool2d(cost.sum(1), SIDE) * SIDE**2

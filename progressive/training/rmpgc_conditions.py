"""What a receiver may have of a photo: the conditions that RMPGC's synthesis learns under.

The scheme's three are U = 0 (the base alone), U = B (the blocks that a mask chose) and U = 1 (every block); ours have
levels, so B is a level for each block and 1 a level for all. Losses and missing stages of the base come on top.

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.layout import LEVELS, PLANES, SCALES, STAGES, STRIDES, TIERS
from progressive.codecs.rmpgc.synthesis import Dequantiser, in_plane, spread, state_of, whole_planes
from progressive.training.rmpgc_relaxation import crossing

BASE = state_of(len(STAGES), 0)

Importance = Callable[[Tensor], Tensor]
"""Photos [N, 3, H, W] -> what a mask would rank their blocks by, [N, R, K]."""

MISSING_SHARE, BASE_SHARE, UNIFORM_SHARE = 0.04, 0.21, 0.3
"""How often stages of the base are missing, the base is all, and all blocks have one level; a mask chose otherwise."""

BITS_OF_ERROR = 13.0
"""Bits for a unit of squared error, with bins of width one: the slope that the codec's own rate-distortion curve has at
each plane. At high rates it would be 6 / ln 2 = 8.7; with that the analysis gives up details for bits at a loss."""

LOSS_SHARE = 0.2
"""How often a photo with a mask loses some of what was sent."""


def draw_states(photos: Tensor, latent: list[Tensor], importance: Importance, rng: np.random.Generator) -> Tensor:
    """A condition for each photo: the states of its blocks, [N, R, K]."""
    count, _, rows, columns = latent[0].shape
    states = torch.full((count, rows, columns), BASE, device=photos.device)
    for n in range(count):
        condition = rng.random() - MISSING_SHARE
        if condition < 0:
            states[n] = state_of(int(rng.integers(len(STAGES))), 0)
        elif condition >= BASE_SHARE + UNIFORM_SHARE:
            one = slice(n, n + 1)
            rank = _ranks(_what_a_mask_follows(photos[one], [y[one] for y in latent], importance, rng))
            states[n] += _lossy(_masked(rank, rng), rng).to(photos.device)
        elif condition >= BASE_SHARE:
            states[n] += int(rng.integers(1, LEVELS + 1))
    return states


def _what_a_mask_follows(
    photo: Tensor, latent: list[Tensor], importance: Importance, rng: np.random.Generator
) -> Tensor:
    """Importance, energy or chance, for the blocks of a photo, [R, K]."""
    source = rng.integers(3)
    if source == 0:
        return importance(photo)[0]
    if source == 1:
        side = STRIDES[0] // STRIDES[-1]
        return F.avg_pool2d(latent[-1].detach().abs().mean(1, keepdim=True), side)[0, 0]
    return torch.from_numpy(rng.random(latent[0].shape[2:], dtype=np.float32))


def _ranks(values: Tensor) -> Tensor:
    """-0.5 for the least, 0.5 for the most, evenly between."""
    ranks = values.flatten().argsort().argsort().float().cpu().view(values.shape)
    return ranks / max(values.numel() - 1, 1) - 0.5


def _masked(ranks: Tensor, rng: np.random.Generator) -> Tensor:
    """Levels that follow the ranks, more or less."""
    noise = torch.from_numpy(rng.normal(0, rng.uniform(0, 1.5), ranks.shape)).float()
    levels = rng.uniform(0, LEVELS) + rng.uniform(0, 3) * ranks + noise
    return levels.round().clamp(0, LEVELS).long()


def _lossy(levels: Tensor, rng: np.random.Generator) -> Tensor:
    """Of a photo in `LOSS_SHARE`, blocks that lost a segment and stay at some level below."""
    if rng.random() >= LOSS_SHARE:
        return levels
    lost = torch.from_numpy(rng.random(levels.shape) < rng.uniform(0.05, 0.4))
    left = torch.from_numpy(rng.random(levels.shape, dtype=np.float32))
    return torch.where(lost, (left * levels).floor().long(), levels)


def values_under(
    dequantiser: Dequantiser,
    latent: list[Tensor],
    indices: list[list[Tensor]],
    tiers: list[list[Tensor]],
    states: Tensor,
) -> list[Tensor]:
    """What a receiver in these states has for each coefficient.

    Args:
        indices: of each plane, a tensor a scale.
        tiers: of each enhance plane, a tensor a scale, True for symbols that come second.
    """
    return [_known(dequantiser, latent, indices, tiers, states, scale)[0] for scale in range(SCALES)]


def movable_values_under(
    dequantiser: Dequantiser,
    latent: list[Tensor],
    indices: list[list[Tensor]],
    tiers: list[list[Tensor]],
    states: Tensor,
) -> tuple[list[Tensor], Tensor]:
    """`values_under` with gradients to the latent, and what to add to the squared error of each photo, [N].

    A value moves by leaps from bin to bin; the error's gradient tells only how a leap begins. The second result is zero
    and has the gradient of the rest: the square of the leap, as the transform is nearly orthonormal.
    """
    values, bends = [], []
    for scale in range(SCALES):
        known, leap, share = _known(dequantiser, latent, indices, tiers, states, scale, movable=True)
        values.append(known + share * leap)
        bends.append((share * leap**2).sum((1, 2, 3)))
    return values, torch.stack(bends).sum(0)


def _known(
    dequantiser: Dequantiser,
    latent: list[Tensor],
    indices: list[list[Tensor]],
    tiers: list[list[Tensor]],
    states: Tensor,
    scale: int,
    *,
    movable: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Values of a scale; if movable, leaps to the neighbouring values and shares (`crossing`) too, else zeros."""
    whole, begun = spread(whole_planes(states, scale), scale), spread(in_plane(states), scale)
    known = leap = share = torch.zeros_like(latent[scale])
    for plane in range(PLANES + 1):
        here = whole == plane
        if plane:
            here = here | ((whole == plane - 1) & begun & ~tiers[plane - 1][scale])
        if not here.any():
            continue
        index = indices[plane][scale]
        value = dequantiser(index, plane, scale)
        known = torch.where(here, value, known)
        if movable:
            step = crossing(latent[scale], index, plane)
            leap = torch.where(here, dequantiser(index + step.direction, plane, scale) - value, leap)
            share = torch.where(here, step.share, share)
    return known, leap, share


def indices_of(latent: list[Tensor]) -> list[list[Tensor]]:
    """Indices of each plane and scale."""
    latent = [y.detach() for y in latent]
    indices = [[quantiser.base_index(y) for y in latent]]
    for plane in range(1, PLANES + 1):
        refined = [(n, quantiser.refine(y, n, plane)) for y, n in zip(latent, indices[-1], strict=True)]
        indices.append([quantiser.child_of(n, symbols, plane) for n, symbols in refined])
    return indices


def slope_of(states: Tensor) -> Tensor:
    """Bits that a photo in each of these states pays for a unit of squared error, [N].

    `BITS_OF_ERROR` over the square of the bins' width; levels in the middle of a plane count with the width that lies
    between.
    """
    planes = (states - BASE).clamp(min=0).float().mean((1, 2)) / TIERS
    widths = torch.tensor([math.log(quantiser.width_of(plane)) for plane in range(PLANES + 1)], device=states.device)
    below = planes.long().clamp(max=PLANES - 1)
    width = torch.exp(torch.lerp(widths[below], widths[below + 1], planes - below))
    return BITS_OF_ERROR / width**2

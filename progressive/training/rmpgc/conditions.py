"""What a receiver may have of a photo: the conditions that RMPGC's synthesis learns under.

The scheme's three are U = 0 (the base alone), U = B (the blocks that a mask chose) and U = 1 (every block); ours have
levels, so B is a level for each block and 1 a level for all. Losses and missing scales of the base come on top.

Legend: N photos; R x K blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.layout import BLOCK

BASE = state_of(SCALES, 0)

Importance = Callable[[Tensor], Tensor]
"""Photos [N, 3, H, W] -> what a mask would rank their blocks by, [N, R, K]."""

MISSING_SHARE, BASE_SHARE, UNIFORM_SHARE = 0.04, 0.21, 0.3
"""How often scales of the base are missing, the base is all, and all blocks have one level; a mask chose otherwise."""

LOSS_SHARE = 0.2
"""How often a photo with a mask loses some of what was sent."""


def draw_states(photos: Tensor, importance: Importance, rng: np.random.Generator, *, highest: int = LEVELS) -> Tensor:
    """A condition for each photo: the states of its blocks, [N, R, K], of which none is above the level `highest`."""
    count, rows, columns = len(photos), photos.shape[2] // BLOCK, photos.shape[3] // BLOCK
    states = torch.full((count, rows, columns), BASE, device=photos.device)
    for n in range(count):
        condition = rng.random() - MISSING_SHARE
        if condition < 0:
            states[n] = state_of(int(rng.integers(1, SCALES)), 0)
        elif condition >= BASE_SHARE + UNIFORM_SHARE:
            rank = _ranks(_what_a_mask_follows(photos[n : n + 1], importance, rng))
            states[n] += _lossy(_masked(rank, rng, highest), rng).to(photos.device)
        elif condition >= BASE_SHARE:
            states[n] += int(rng.integers(1, highest + 1))
    return states


def _what_a_mask_follows(photo: Tensor, importance: Importance, rng: np.random.Generator) -> Tensor:
    """Importance, energy or chance, for the blocks of a photo, [R, K]."""
    source = rng.integers(3)
    if source == 0:
        return importance(photo)[0]
    if source == 1:
        detail = photo - F.interpolate(F.avg_pool2d(photo, 4), scale_factor=4)
        return F.avg_pool2d(detail.abs().mean(1, keepdim=True), BLOCK)[0, 0]
    shape = photo.shape[2] // BLOCK, photo.shape[3] // BLOCK
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def _ranks(values: Tensor) -> Tensor:
    """-0.5 for the least, 0.5 for the most, evenly between."""
    ranks = values.flatten().argsort().argsort().float().cpu().view(values.shape)
    return ranks / max(values.numel() - 1, 1) - 0.5


def _masked(ranks: Tensor, rng: np.random.Generator, highest: int) -> Tensor:
    """Levels that follow the ranks, more or less."""
    noise = torch.from_numpy(rng.normal(0, rng.uniform(0, 1.5), ranks.shape)).float()
    levels = rng.uniform(0, highest) + rng.uniform(0, 3) * ranks + noise
    return levels.round().clamp(0, highest).long()


def _lossy(levels: Tensor, rng: np.random.Generator) -> Tensor:
    """Of a photo in `LOSS_SHARE`, blocks that lost a segment and stay at some level below."""
    if rng.random() >= LOSS_SHARE:
        return levels
    lost = torch.from_numpy(rng.random(levels.shape) < rng.uniform(0.05, 0.4))
    left = torch.from_numpy(rng.random(levels.shape, dtype=np.float32))
    return torch.where(lost, (left * levels).floor().long(), levels)

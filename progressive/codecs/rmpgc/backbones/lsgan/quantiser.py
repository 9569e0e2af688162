"""Five levels a channel (RMPGC Eq. 10 and 11)."""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 2
"""Levels are -2..2."""

LEVELS = 2 * REACH + 1


def nearest(values: Tensor) -> Tensor:
    """The nearest level of each value (Eq. 10)."""
    return values.round().clamp(-REACH, REACH)


def soft(values: Tensor, sigma: float) -> Tensor:
    """Levels weighed by how near they are (Eq. 11); the larger `sigma`, the nearer to `nearest`."""
    levels = torch.arange(-REACH, REACH + 1, device=values.device, dtype=values.dtype)
    weights = torch.softmax(-sigma * (values[..., None] - levels).abs(), -1)
    return (weights * levels).sum(-1)


def nearest_with_soft_gradient(values: Tensor, sigma: float) -> Tensor:
    """The nearest levels, with gradients as if they were the soft ones."""
    smooth = soft(values, sigma)
    return smooth + (nearest(values) - smooth).detach()

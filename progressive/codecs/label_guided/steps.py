"""The quantiser: one level for a photo, which says how coarse its latent is.

Whatever decides probabilities is an integer here. Legend: N photos; h x w positions.
"""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.exact.laplace import MAX_INDEX

FINEST = 63
"""The largest level."""

COARSEST_STEP, LEVELS_AN_OCTAVE = 4.0, 16
"""The step of level 0, for photo values in 0..1 under an orthonormal transform; how many levels halve it."""

SLOPE = 9.0
"""lambda times the square of the step: bits for a unit of squared error, with bins of width one."""

ROUNDING = 0.4
"""A coefficient is rounded away from zero from this far beyond a whole number: most are zero, and one just above half a
step is not worth its bits."""

HATS = 5
"""Inputs that tell a network the level: hat functions, whose sum is about 255 everywhere."""

HAT_WIDTH = FINEST // (HATS - 1)


def step_of(level: int) -> float:
    """The quantisation step of a level."""
    return COARSEST_STEP * 2 ** (-level / LEVELS_AN_OCTAVE)


def steps_of(levels: Tensor) -> Tensor:
    """The steps of levels, of the same shape."""
    return COARSEST_STEP * torch.exp2(-levels.float() / LEVELS_AN_OCTAVE)


def hats(levels: Tensor) -> Tensor:
    """Levels [N] -> integers 0..255, [N, HATS, 1, 1]."""
    centres = torch.arange(HATS, dtype=torch.int32, device=levels.device) * HAT_WIDTH
    distance = (levels.to(torch.int32)[:, None] - centres).abs()
    return (255 - 255 * distance // HAT_WIDTH).clamp_(min=0)[:, :, None, None]


def quantised(values: Tensor) -> Tensor:
    """Coefficients in steps -> indices, the same shape; centred on zero whatever is expected."""
    return torch.sign(values) * torch.floor(values.abs() + ROUNDING).clamp(max=MAX_INDEX)

"""The grid of a latent: whole numbers of steps, centred on zero whatever the prior expects."""

from __future__ import annotations

import torch
from torch import Tensor

ROUNDING = 0.38
"""A coefficient is rounded away from zero from this far beyond a whole number; at most rates most are zero, and a
coefficient just above half a step is not worth its bits."""

MAX_INDEX = 1023
"""Indices are clipped to this; the lowest band at the finest step stays below 1,000."""


def quantised(values: Tensor) -> Tensor:
    """Coefficients in steps -> indices, the same shape."""
    return torch.sign(values) * torch.floor(values.abs() + ROUNDING).clamp(max=MAX_INDEX)

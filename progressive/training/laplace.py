"""What indices cost in training: Laplace distributions whose scale is a logarithm to base two."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from progressive.exact.laplace import LEAST_SCALE, SCALES, STEPS

LOG_SCALE_RANGE = (LEAST_SCALE / STEPS, (LEAST_SCALE + SCALES - 1) / STEPS)
"""Octaves of the scale that the tables have rows for."""


def index_bits(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of indices under a Laplace distribution over them, elementwise; the scale as a logarithm to base two."""
    scale = torch.exp2(log_scale.clamp(*LOG_SCALE_RANGE))
    distance = (index - mean).abs()
    outside = -(distance - 0.5).clamp(min=0) / scale + torch.log1p(-torch.exp(-1 / scale) * (1 - 1e-6)) - math.log(2)
    near = distance.clamp(max=0.5)
    inside = torch.log1p(-(torch.exp((near - 0.5) / scale) + torch.exp(-(near + 0.5) / scale)).clamp(max=2 - 1e-6) / 2)
    return torch.where(distance < 0.5, inside, outside) / -math.log(2)

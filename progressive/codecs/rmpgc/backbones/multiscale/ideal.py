"""Ideal bits of symbols under the networks' parameters as distributions: what tables stand for, differentiable."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import narrowing_gain, outer_gain

LOG_SCALE_RANGE = (-3.2, 4.0)

SURE = 30.0
"""Log-odds of what cannot be otherwise: the upper half of a bin lies outward."""

FIRST_SLOPES = (0.118, 0.127, 0.142, 0.126)
"""Of each plane: symbols that are expected to remove more squared error a bit come first. Measured so that these are
half of the bits; the stored tables have thresholds of their own."""


def base_bits(index: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Bits of base indices under a Laplace distribution over them, elementwise."""
    scale = torch.exp(log_scale.clamp(*LOG_SCALE_RANGE))
    distance = (index - mean).abs()
    outside = -(distance - 0.5).clamp(min=0) / scale + torch.log1p(-torch.exp(-1 / scale) * (1 - 1e-6)) - math.log(2)
    near = distance.clamp(max=0.5)
    inside = torch.log1p(-(torch.exp((near - 0.5) / scale) + torch.exp(-(near + 0.5) / scale)).clamp(max=2 - 1e-6) / 2)
    return torch.where(distance < 0.5, inside, outside) / -math.log(2)


def plane_bits(symbols: Tensor, parents: Tensor, parameters: Tensor, plane: int) -> Tensor:
    """Bits of plane symbols {-1, 0, 1} given their parent indices, elementwise; parameters [B, 4, C, h, w]."""
    inside = parents == 0
    outward = parameters[:, 3] if quantiser.SPLITS[plane - 1] == 3 else SURE
    zero = torch.where(inside, parameters[:, 0], parameters[:, 2])
    sign = torch.where(inside, parameters[:, 1], outward * torch.sign(parents))
    return yes_and_sign_bits(symbols, zero, sign)


def yes_and_sign_bits(symbols: Tensor, zero: Tensor, sign: Tensor) -> Tensor:
    """Bits of symbols, given log-odds of one that is not zero and of its being plus."""
    coded = symbols.abs()
    return (F.softplus(zero) - coded * zero + coded * F.softplus(-sign * symbols)) / math.log(2)


def expected_slope(parents: Tensor, zero: Tensor, plane: int) -> Tensor:
    """Squared error that symbols remove a bit, in units of the plane's own scale, elementwise."""
    coded = torch.sigmoid(zero)
    bits = _entropy(coded) + coded
    parts = quantiser.SPLITS[plane - 1]
    return torch.where(parents == 0, coded * outer_gain(parts), narrowing_gain(parts)) / bits


def _entropy(probability: Tensor) -> Tensor:
    """Bits of a yes or no."""
    p = probability.clamp(1e-6, 1 - 1e-6)
    return -(p * torch.log2(p) + (1 - p) * torch.log2(1 - p))

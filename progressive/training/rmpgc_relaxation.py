"""Gradients through RMPGC's quantiser.

A quantiser's output is a staircase. Averaged over shifts of a bin's width it becomes a ramp that is flat only deep
inside a dead zone; these functions have the ramp's slope.
"""

from __future__ import annotations

import torch
from torch import Tensor

from progressive.codecs.rmpgc.quantiser import DEAD_ZONE, STEP, ZERO_SHARE, bin_of


def base_position(latent: Tensor) -> Tensor:
    """Where coefficients lie among the base's indices: the index is the nearest integer, 0 stands for the dead zone."""
    return torch.sign(latent) * ((latent.abs() - DEAD_ZONE) / STEP + 0.5).clamp(min=0)


def plane_position(latent: Tensor, parents: Tensor, plane: int) -> Tensor:
    """Where coefficients lie among the symbols -1, 0, 1 of a plane, given their indices of the plane before: -1..1."""
    lower, upper = bin_of(3 * parents, plane)
    width = width_of(plane)
    above = ((latent - upper) / width + 0.5).clamp(0, 1)
    below = ((lower - latent) / width + 0.5).clamp(0, 1)
    return above - below


def straight_through(value: Tensor, latent: Tensor, index: Tensor, plane: int) -> Tensor:
    """The dequantised value of an index of a plane, with the gradient that the coefficient has on average."""
    flat_half = DEAD_ZONE * ZERO_SHARE**plane - width_of(plane) / 2
    alive = (index != 0) | (latent.detach().abs() > flat_half)
    return value + alive * (latent - latent.detach())


def width_of(plane: int) -> float:
    """Width of a plane's bins outside the base's dead zone."""
    return STEP / 3.0**plane

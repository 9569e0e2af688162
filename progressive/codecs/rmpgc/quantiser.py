"""The nested quantiser: an integer index a coefficient and plane; a finer plane splits each bin in three.

Index n of plane 0 counts bins of `STEP` beyond a wider bin around zero (the dead zone). Index 3 n + s of the next
plane, s in {-1, 0, 1}, is a third of bin n; only the bin around zero is split unevenly, so that a dead zone remains.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from progressive.codecs.rmpgc.layout import PLANES

STEP = 1.62
"""Width of the base's bins, for photo values in 0..1 under an orthonormal transform."""

DEAD_ZONE = 1.0
"""Half the width of the base's bin around zero."""

ZERO_SHARE = 0.383
"""The share of the bin around zero that stays zero in the next plane: the outer two then suit the other bins' width."""

MAX_INDEX = 63
"""The base's indices are clipped to this; the lowest band of a photo in 0..1 stays below 36."""


def reach(plane: int) -> int:
    """The largest index of a plane."""
    thirds: int = 3**plane
    return MAX_INDEX * thirds + (thirds - 1) // 2


def base_index(latent: Tensor) -> Tensor:
    """Coefficients -> indices of plane 0, the same shape, float."""
    beyond = torch.floor((latent.abs() - DEAD_ZONE) / STEP) + 1
    return torch.sign(latent) * beyond.clamp(0, MAX_INDEX)


def bin_of(index: Tensor, plane: int) -> tuple[Tensor, Tensor]:
    """Lower and upper end of the bin of each index of a plane."""
    thirds = 3**plane
    base = torch.round(index / thirds)
    place, width = index - thirds * base, STEP / thirds
    far = torch.sign(base) * (DEAD_ZONE + (base.abs() - 0.5) * STEP) + place * width
    edges = _zero_bin_edges(plane).to(index)
    near = (index + (thirds - 1) // 2 + 0.0).clamp(0, thirds - 1).long()
    inside = base == 0
    lower = torch.where(inside, edges[near], far - width / 2)
    upper = torch.where(inside, edges[near + 1], far + width / 2)
    return lower, upper


def refine(latent: Tensor, index: Tensor, plane: int) -> Tensor:
    """Indices of plane - 1 -> symbols s in {-1, 0, 1} of `plane`, the same shape.

    A coefficient outside its bin (the encoder may leave one there) takes the nearest third.
    """
    most = reach(plane - 1)
    parents = torch.arange(-most, most + 1, device=index.device, dtype=latent.dtype)
    lower, upper = bin_of(3 * parents, plane)
    place = index.long() + most
    return (latent >= upper[place]).to(latent.dtype) - (latent < lower[place]).to(latent.dtype)


def _zero_bin_edges(plane: int) -> Tensor:
    """Ends of the 3^plane bins that the base's bin around zero is split into."""
    edges = [-DEAD_ZONE, DEAD_ZONE]
    for _ in range(plane):
        finer = [edges[0]]
        for low, high in pairwise(edges):
            share = ZERO_SHARE if low < 0 < high else 1 / 3
            side = (high - low) * (1 - share) / 2
            finer += [low + side, high - side, high]
        edges = finer
    return torch.tensor(edges)


ZERO_BIN_EDGES = tuple(_zero_bin_edges(plane) for plane in range(PLANES + 1))

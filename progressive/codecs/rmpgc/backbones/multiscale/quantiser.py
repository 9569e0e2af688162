"""The nested quantiser: an integer index a coefficient and plane; a finer plane splits each bin in equal parts.

Index n of plane 0 counts bins of `STEP` beyond a wider bin around zero (the dead zone). The next plane splits bins in
two or three parts (`SPLITS`): with k parts, symbol s makes index k n + s. The bin around zero keeps its middle, so that
a dead zone remains, and s is -1, 0 or 1 there, as in every bin that is split in three. The symbols of another bin that
is halved are 0 and the sign of n.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES

STEP = 1.62
"""Width of the base's bins, for photo values in 0..1 under an orthonormal transform."""

DEAD_ZONE = 1.0
"""Half the width of the base's bin around zero."""

SPLITS = (2, 2, 2, 3)
"""Parts that each enhance plane splits bins into. Halves: between two planes, where a rate usually cuts, thirds lose
0.3 dB to a quantiser made for that rate and halves 0.1 dB. The last plane is for rates where that matters least."""

assert len(SPLITS) == PLANES

MAX_INDEX = 63
"""The base's indices are clipped to this; the lowest band of a photo in 0..1 stays below 36."""


def reach(plane: int) -> int:
    """The largest index of a plane."""
    largest = MAX_INDEX
    for parts in SPLITS[:plane]:
        largest = parts * largest + 1
    return largest


def width_of(plane: int) -> float:
    """Width of a plane's bins, but for those inside the base's dead zone."""
    width = STEP
    for parts in SPLITS[:plane]:
        width /= parts
    return width


def base_index(latent: Tensor) -> Tensor:
    """Coefficients -> indices of plane 0, the same shape, float."""
    beyond = torch.floor((latent.abs() - DEAD_ZONE) / STEP) + 1
    return torch.sign(latent) * beyond.clamp(0, MAX_INDEX)


def bin_of(index: Tensor, plane: int) -> tuple[Tensor, Tensor]:
    """Lower and upper end of the bin of each index of a plane."""
    ends, size = _ends(plane).to(index), index.abs().long()
    near, far = ends[size], ends[size + 1]
    negative = index < 0
    return torch.where(negative, -far, near), torch.where(negative, -near, far)


def refine(latent: Tensor, index: Tensor, plane: int) -> Tensor:
    """Indices of plane - 1 -> symbols s of `plane`, the same shape.

    A coefficient outside its bin (the encoder may leave one there) takes the nearest part.
    """
    parts, ends = SPLITS[plane - 1], _ends(plane).to(latent)
    side = torch.where(index == 0, torch.sign(latent), torch.sign(index))
    outward, middle = latent * side, parts * index.abs().long()
    symbols = (outward >= ends[middle + 1]).to(latent.dtype)
    if parts == 3:
        symbols = symbols - (outward < ends[middle]).to(latent.dtype)
    return side * symbols


def child_of(index: Tensor, symbols: Tensor | int, plane: int) -> Tensor:
    """Indices of `plane` from those of plane - 1 and the symbols of `plane`."""
    return SPLITS[plane - 1] * index + symbols


def outer_gain(parts: int) -> float:
    """Squared error that a symbol other than zero removes in the base's bin around zero, split in so many parts."""
    return (DEAD_ZONE * (1 + 1 / parts) / 2) ** 2


def narrowing_gain(parts: int) -> float:
    """Squared error that a symbol removes in another bin of the base."""
    return STEP**2 / 12 * (1 - 1 / parts**2)


@cache
def _ends(plane: int) -> Tensor:
    """Where the bins of indices 0, 1, 2, ... begin and where the last of them ends, float64 [reach + 2]."""
    if plane == 0:
        outside = DEAD_ZONE + STEP * torch.arange(MAX_INDEX + 1, dtype=torch.float64)
        return torch.cat([torch.tensor([-DEAD_ZONE]), outside])
    parts, coarser = SPLITS[plane - 1], _ends(plane - 1)
    zero = coarser[1:2] / parts
    begin, width = coarser[1:-1, None], torch.diff(coarser[1:])[:, None]
    inner = begin + width * torch.arange(parts) / parts
    return torch.cat([-zero, zero, inner.flatten(), coarser[-1:]])

"""The linear start of the transform: opponent colours and the CDF 9/7 wavelet, nearly orthonormal.

The filters are those of Antonini et al. (1992), symmetric extension at the borders, in lifting steps (Daubechies and
Sweldens 1998): a few additions a sample, many times faster than convolutions of one channel.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_LOW_GAIN = math.sqrt(2) / 1.230174104914001
"""The high half-band's is its inverse."""

COLOURS = torch.tensor([[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]])
"""Orthonormal opponent colours, [3, 3]: luma, red-blue, magenta-green."""


def to_opponent(photos: Tensor) -> Tensor:
    """RGB in 0..1, [N, 3, H, W] -> opponent colours about zero."""
    return torch.einsum("ij,njhw->nihw", COLOURS.to(photos), photos - 0.5)


def to_rgb(colours: Tensor) -> Tensor:
    """The inverse of `to_opponent`."""
    return torch.einsum("ij,nihw->njhw", COLOURS.to(colours), colours) + 0.5


def split(low: Tensor) -> tuple[Tensor, Tensor]:
    """One level: [N, 1, H, W] -> the low band [N, 1, H / 2, W / 2] and three bands of detail, [N, 3, H / 2, W / 2]."""
    low_x, high_x = _split(low, 3)
    (low, low_high), (high_low, high_high) = _split(low_x, 2), _split(high_x, 2)
    return low, torch.cat([high_low, low_high, high_high], 1)


def merge(low: Tensor, detail: Tensor) -> Tensor:
    """The inverse of `split`."""
    high_low, low_high, high_high = detail[:, :1], detail[:, 1:2], detail[:, 2:]
    return _merge(_merge(low, low_high, 2), _merge(high_low, high_high, 2), 3)


def _split(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Low and high half-bands along a dimension, each half as long."""
    low, high = torch.unflatten(x, dim, (-1, 2)).unbind(dim + 1)
    for to_high, to_low in (_LIFTING[:2], _LIFTING[2:]):
        high = high + to_high * (low + _following(low, dim))
        low = low + to_low * (high + _preceding(high, dim))
    return low * _LOW_GAIN, high / _LOW_GAIN


def _merge(low: Tensor, high: Tensor, dim: int) -> Tensor:
    """The inverse of `_split`."""
    low, high = low / _LOW_GAIN, high * _LOW_GAIN
    for to_high, to_low in (_LIFTING[2:], _LIFTING[:2]):
        low = low - to_low * (high + _preceding(high, dim))
        high = high - to_high * (low + _following(low, dim))
    return torch.stack([low, high], dim + 1).flatten(dim, dim + 1)


def _following(x: Tensor, dim: int) -> Tensor:
    """The neighbour after each, the last one its own."""
    return torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, x.shape[dim] - 1, 1)], dim)


def _preceding(x: Tensor, dim: int) -> Tensor:
    """The neighbour before each, the first one its own."""
    return torch.cat([x.narrow(dim, 0, 1), x.narrow(dim, 0, x.shape[dim] - 1)], dim)

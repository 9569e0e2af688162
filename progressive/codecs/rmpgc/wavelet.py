"""The linear start of the transform: opponent colours and a six-level CDF 9/7 wavelet, nearly orthonormal.

Shapes: N photos; H, W multiples of 64; the latent of scale i is [N, CHANNELS[i], H / STRIDES[i], W / STRIDES[i]].
The filters are those of Antonini et al. (1992), symmetric extension at the borders, in lifting steps (Daubechies and
Sweldens 1998): a few additions a sample, many times faster than convolutions of one channel.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

DEPTH = 6

LOWEST = slice(0, 12, 4)
"""The channels of the coarsest scale that are the lowest band of each colour; the other bands follow each."""

_LIFTING = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
_LOW_GAIN = math.sqrt(2) / 1.230174104914001
"""The high half-band's is its inverse."""

COLOURS = torch.tensor([[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]])
"""Orthonormal opponent colours, [3, 3]: luma, red-blue, magenta-green."""


def analyse(photos: Tensor) -> list[Tensor]:
    """RGB in 0..1, [N, 3, H, W] -> the five scales of the latent, coarsest first."""
    count, _, height, width = photos.shape
    colours = torch.einsum("ij,njhw->nihw", COLOURS.to(photos), photos - 0.5)
    low = colours.reshape(count * 3, 1, height, width)
    details: list[Tensor] = []  # [N, 3 colours, 3 bands, h, w], finest first
    for _ in range(DEPTH):
        low_x, high_x = _split(low, 3)
        (low, low_high), (high_low, high_high) = _split(low_x, 2), _split(high_x, 2)
        bands = torch.stack([high_low, low_high, high_high], 1)
        details.append(bands.reshape(count, 3, 3, *bands.shape[-2:]))
    coarsest = low.reshape(count, 3, 1, *low.shape[-2:])
    finest_luma = torch.unflatten(F.pixel_unshuffle(details[0][:, 0], 2), 1, (1, 12))
    scales = [torch.cat([coarsest, details[5]], 2), details[4], details[3], details[2]]
    latent = [s.flatten(1, 2) for s in scales]
    quarter = details[1]
    return [*latent, torch.cat([quarter[:, 0], finest_luma[:, 0], quarter[:, 1:].flatten(1, 2)], 1)]


def synthesise(latent: list[Tensor]) -> Tensor:
    """The inverse of `analyse`, but for the finest bands of the opponent colours, which the latent does not hold."""
    count, _, rows, columns = latent[0].shape
    first = torch.unflatten(latent[0], 1, (3, 4))
    low = first[:, :, 0].reshape(count * 3, 1, rows, columns)
    finest = latent[4]
    luma = F.pixel_shuffle(finest[:, 3:15], 2)[:, None]
    quarter = torch.unflatten(torch.cat([finest[:, :3], finest[:, 15:]], 1), 1, (3, 3))
    halves = torch.cat([luma, luma.new_zeros(count, 2, *luma.shape[2:])], 1)
    for bands in (first[:, :, 1:], *(torch.unflatten(y, 1, (3, 3)) for y in latent[1:4]), quarter, halves):
        flat = bands.reshape(count * 3, 3, 1, *bands.shape[-2:])
        low = _merge(_merge(low, flat[:, 1], 2), _merge(flat[:, 0], flat[:, 2], 2), 3)
    colours = low.reshape(count, 3, *low.shape[-2:])
    return torch.einsum("ij,nihw->njhw", COLOURS.to(low), colours) + 0.5


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

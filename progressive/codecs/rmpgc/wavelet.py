"""The linear start of the transform: opponent colours and a six-level CDF 9/7 wavelet, nearly orthonormal.

Shapes: N photos; H, W multiples of 64; the latent of scale i is [N, CHANNELS[i], H / STRIDES[i], W / STRIDES[i]].
The filters are those of Antonini et al. (1992), symmetric extension at the borders.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

DEPTH = 6

_LOW = torch.tensor(
    [0.026748757411, -0.016864118443, -0.078223266529, 0.266864118443, 0.602949018236]
)  # the first half and the middle of a symmetric filter, as below
_HIGH = torch.tensor([0.091271763114, -0.057543526229, -0.591271763114, 1.11508705])

COLOURS = torch.tensor(
    [[3**-0.5, 3**-0.5, 3**-0.5], [2**-0.5, 0.0, -(2**-0.5)], [6**-0.5, -2 * 6**-0.5, 6**-0.5]]
)
"""Orthonormal opponent colours, [3, 3]: luma, red-blue, magenta-green."""


def _symmetric(half: Tensor) -> Tensor:
    return torch.cat([half, half[:-1].flip(0)])


def _alternating(taps: Tensor) -> Tensor:
    """Every other tap negated, the middle one kept: a low-pass filter becomes its high-pass mirror, and back."""
    middle = len(taps) // 2
    return taps * torch.tensor([(-1.0) ** (i - middle) for i in range(len(taps))])


ANALYSIS_LOW = _symmetric(_LOW) * math.sqrt(2)
ANALYSIS_HIGH = _symmetric(_HIGH) / math.sqrt(2)
SYNTHESIS_LOW = _alternating(ANALYSIS_HIGH)
SYNTHESIS_HIGH = _alternating(ANALYSIS_LOW)


def analyse(photos: Tensor) -> list[Tensor]:
    """RGB in 0..1, [N, 3, H, W] -> the five scales of the latent, coarsest first."""
    count, _, height, width = photos.shape
    colours = torch.einsum("ij,njhw->nihw", COLOURS.to(photos), photos - 0.5)
    low = colours.reshape(count * 3, 1, height, width)
    details: list[Tensor] = []  # [N, 3 colours, 3 bands, h, w], finest first
    for _ in range(DEPTH):
        low_x, high_x = _split(low)
        (low, low_high), (high_low, high_high) = _split_rows(low_x), _split_rows(high_x)
        bands = torch.stack([high_low, low_high, high_high], 1)
        details.append(bands.reshape(count, 3, 3, *bands.shape[-2:]))
    coarsest = low.reshape(count, 3, 1, *low.shape[-2:])
    finest_luma = F.pixel_unshuffle(details[0][:, 0], 2).unflatten(1, (1, 12))
    scales = [torch.cat([coarsest, details[5]], 2), details[4], details[3], details[2]]
    latent = [s.flatten(1, 2) for s in scales]
    quarter = details[1]
    return [*latent, torch.cat([quarter[:, 0], finest_luma[:, 0], quarter[:, 1:].flatten(1, 2)], 1)]


def synthesise(latent: list[Tensor]) -> Tensor:
    """The inverse of `analyse`, but for the finest bands of the opponent colours, which the latent does not hold."""
    count, _, rows, columns = latent[0].shape
    first = latent[0].unflatten(1, (3, 4))
    low = first[:, :, 0].reshape(count * 3, 1, rows, columns)
    finest = latent[4]
    luma = F.pixel_shuffle(finest[:, 3:15], 2)[:, None]
    quarter = torch.cat([finest[:, :3], finest[:, 15:]], 1).unflatten(1, (3, 3))
    halves = torch.cat([luma, luma.new_zeros(count, 2, *luma.shape[2:])], 1)
    for bands in (first[:, :, 1:], *(y.unflatten(1, (3, 3)) for y in latent[1:4]), quarter, halves):
        flat = bands.reshape(count * 3, 3, 1, *bands.shape[-2:])
        low = _merge(_merge_rows(low, flat[:, 1]), _merge_rows(flat[:, 0], flat[:, 2]))
    colours = low.reshape(count, 3, *low.shape[-2:])
    return torch.einsum("ij,nihw->njhw", COLOURS.to(low), colours) + 0.5


def _split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Low and high half-bands along the rows' direction, [M, 1, h, w] -> two of [M, 1, h, w / 2]."""
    low = F.conv2d(_extend(x, 4, 4), ANALYSIS_LOW.to(x).view(1, 1, 1, 9), stride=(1, 2))
    high = F.conv2d(_extend(x, 2, 4), ANALYSIS_HIGH.to(x).view(1, 1, 1, 7), stride=(1, 2))
    return low[..., : x.shape[-1] // 2], high[..., : x.shape[-1] // 2]


def _merge(low: Tensor, high: Tensor) -> Tensor:
    """Two half-bands [M, 1, h, w / 2] -> [M, 1, h, w]."""
    even, odd = low.new_zeros(*low.shape, 2), high.new_zeros(*high.shape, 2)
    even[..., 0], odd[..., 1] = low, high
    return F.conv2d(_extend(even.flatten(-2), 3, 3), SYNTHESIS_LOW.to(low).view(1, 1, 1, 7)) + F.conv2d(
        _extend(odd.flatten(-2), 4, 4), SYNTHESIS_HIGH.to(low).view(1, 1, 1, 9)
    )


def _extend(x: Tensor, left: int, right: int) -> Tensor:
    """Mirrors the last axis at both ends; as often as it takes where it is shorter than the filter."""
    width = x.shape[-1]
    if max(left, right) < width:
        return F.pad(x, (left, right, 0, 0), mode="reflect")
    period = max(2 * width - 2, 1)
    place = torch.arange(-left, width + right, device=x.device) % period
    return x[..., torch.where(place < width, place, period - place)]


def _split_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    low, high = _split(x.transpose(2, 3))
    return low.transpose(2, 3), high.transpose(2, 3)


def _merge_rows(low: Tensor, high: Tensor) -> Tensor:
    return _merge(low.transpose(2, 3), high.transpose(2, 3)).transpose(2, 3)

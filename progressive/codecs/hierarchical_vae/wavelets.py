"""The linear shortcut of encoder and decoder: opponent colours, and six levels of the CDF 9/7 wavelet.

Legend: N photos; C coefficients a position; h x w positions of a scale.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.hierarchical_vae.latents import SCALES
from progressive.transforms import wavelet

LEVELS = SCALES - 1


def analyse(photos: Tensor) -> list[Tensor]:
    """RGB in 0..1, [N, 3, H, W] with sides that are multiples of 64 -> all scales [N, C, h, w], coarsest first."""
    count = len(photos)
    low = _colours_first(wavelet.to_opponent(photos))
    scales: list[Tensor] = []
    for level in range(LEVELS):
        low, detail = wavelet.split(low)
        bands = _by_photo(detail, count)
        scales.insert(0, bands if level else bands[:, :3])
    return [_by_photo(low, count), *scales]


def synthesise(scales: list[Tensor]) -> Tensor:
    """The inverse of `analyse`, but for the opponent colours' finest detail, which no latent holds."""
    count = len(scales[0])
    low = _colours_first(scales[0])
    for level, bands in zip(reversed(range(LEVELS)), scales[1:], strict=True):
        detail = _colours_first(bands if level else F.pad(bands, (0, 0, 0, 0, 0, 6)), 3)
        low = wavelet.merge(low, detail)
    return wavelet.to_rgb(_by_photo(low, count))


def _colours_first(bands: Tensor, each: int = 1) -> Tensor:
    """[N, 3 * each, h, w] -> [3 * N, each, h, w]: all luma, then one opponent colour, then the other."""
    count, _, height, width = bands.shape
    return bands.reshape(count, 3, each, height, width).transpose(0, 1).flatten(0, 1)


def _by_photo(bands: Tensor, count: int) -> Tensor:
    """The inverse of `_colours_first`."""
    return torch.unflatten(bands, 0, (3, count)).transpose(0, 1).flatten(1, 2)

"""From photos to padded tensors and back, and the transforms in strips, so that memory is bounded by the width.

Legend: H, W of the photo; a padded photo has whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.layout import BLOCK, CHANNELS, SCALES, STRIDES, Layout

STRIP_PIXELS = 4_000_000
"""Photos larger than this are transformed in strips of about so many pixels."""

MARGIN = 6
"""Blocks above and below a strip that take part in its transform; beyond them nothing is felt any more."""


def padded(photo: Photo, layout: Layout, top: int, bottom: int) -> Tensor:
    """Rows of blocks top..bottom of a photo [H, W, 3], edges repeated to whole blocks: RGB 0..1, [1, 3, h, w]."""
    rows = np.array(photo[top * BLOCK : bottom * BLOCK])
    pixels = torch.from_numpy(rows).permute(2, 0, 1)[None].float() / 255
    height, width = (bottom - top) * BLOCK - pixels.shape[2], layout.columns * BLOCK - pixels.shape[3]
    return F.pad(pixels, (0, width, 0, height), mode="replicate")


def strips(layout: Layout) -> list[tuple[int, int]]:
    """Rows of blocks (first, one after the last) of each strip."""
    each = max(MARGIN, STRIP_PIXELS // (layout.columns * BLOCK * BLOCK))
    if layout.rows <= each + 2 * MARGIN:
        return [(0, layout.rows)]
    return [(top, min(top + each, layout.rows)) for top in range(0, layout.rows, each)]


def with_margin(strip: tuple[int, int], layout: Layout) -> tuple[int, int]:
    return max(0, strip[0] - MARGIN), min(layout.rows, strip[1] + MARGIN)


def latent_of(photo: Photo, layout: Layout, analyse: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """The latent of a whole photo, strip by strip: five scales [1, C, h, w]."""
    latent = [
        torch.empty(1, c, layout.rows * BLOCK // s, layout.columns * BLOCK // s)
        for c, s in zip(CHANNELS, STRIDES, strict=True)
    ]
    for strip in strips(layout):
        top, bottom = with_margin(strip, layout)
        part = analyse(padded(photo, layout, top, bottom))
        for scale in range(SCALES):
            unit = BLOCK // STRIDES[scale]
            inside = slice((strip[0] - top) * unit, (strip[1] - top) * unit)
            latent[scale][:, :, strip[0] * unit : strip[1] * unit] = part[scale][:, :, inside]
    return latent


def to_photo(pixels: Tensor, height: int, width: int) -> Photo:
    """RGB around 0..1, [1, 3, h, w] -> [height, width, 3], 0..255."""
    cut = pixels[0, :, :height, :width].float()
    rounded: Photo = (cut * 255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    return rounded

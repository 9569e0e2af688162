"""From photos to padded tensors and back, and the transforms piece by piece, so that memory is bounded.

Legend: H, W of the photo; a padded photo has whole blocks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS
from progressive.codecs.rmpgc.layout import BLOCK, Layout, Window

PIECE = 32
"""Side in blocks of the pieces that large photos are transformed in: four megapixels."""

MARGIN = 6
"""Blocks around a piece that take part in its transform; beyond them nothing is felt any more."""


def padded(photo: Photo, window: Window) -> Tensor:
    """Some blocks of a photo [H, W, 3], edges repeated to whole blocks: RGB 0..1, [1, 3, h, w]."""
    rows, columns = window.slices(BLOCK)
    pixels = torch.from_numpy(np.array(photo[rows, columns])).permute(2, 0, 1)[None].float() / 255
    below, right = window.height * BLOCK - pixels.shape[2], window.width * BLOCK - pixels.shape[3]
    return F.pad(pixels, (0, right, 0, below), mode="replicate")


def pieces(layout: Layout) -> list[Window]:
    """The pieces of a photo, row by row; of one that is hardly larger than a piece, the whole."""
    tops, lefts = (_starts(blocks) for blocks in (layout.rows, layout.columns))
    return [
        Window(top, left, bottom - top, right - left)
        for top, bottom in zip(tops, [*tops[1:], layout.rows], strict=True)
        for left, right in zip(lefts, [*lefts[1:], layout.columns], strict=True)
    ]


def with_margin(piece: Window, layout: Layout) -> Window:
    top, left = max(0, piece.top - MARGIN), max(0, piece.left - MARGIN)
    bottom = min(layout.rows, piece.top + piece.height + MARGIN)
    right = min(layout.columns, piece.left + piece.width + MARGIN)
    return Window(top, left, bottom - top, right - left)


def latent_of(photo: Photo, layout: Layout, analyse: Callable[[Tensor], list[Tensor]]) -> list[Tensor]:
    """The latent of a whole photo, piece by piece: all scales [1, C, h, w]."""
    latent = [
        torch.empty(1, channels, layout.rows * side, layout.columns * side)
        for channels, side in zip(CHANNELS, BLOCK_SIDES, strict=True)
    ]
    for piece in pieces(layout):
        around = with_margin(piece, layout)
        part = analyse(padded(photo, around))
        for whole, values, side in zip(latent, part, BLOCK_SIDES, strict=True):
            whole[:, :, *piece.slices(side)] = values[:, :, *piece.inside(around).slices(side)]
    return latent


def _starts(blocks: int) -> list[int]:
    return list(range(0, blocks, PIECE)) if blocks > PIECE + 2 * MARGIN else [0]


def to_photo(pixels: Tensor, height: int, width: int) -> Photo:
    """RGB around 0..1, [1, 3, h, w] -> [height, width, 3], 0..255."""
    cut = pixels[0, :, :height, :width].float()
    rounded: Photo = (cut * 255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    return rounded

"""Large photos in pieces, so that memory is bounded: what makes pictures feels nothing beyond a margin.

Legend: H, W of the photo; a padded photo has whole blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.segments.tiles import BLOCK, Window

PIECE = 32
"""Side in blocks of the pieces that large photos are worked on in: four megapixels."""


class Grid(Protocol):
    """The blocks of a photo. Fields: how many there are from top to bottom, and from left to right."""

    @property
    def rows(self) -> int: ...

    @property
    def columns(self) -> int: ...


def pieces(layout: Grid, margin: int) -> Iterator[Window]:
    """The pieces of a photo, row by row; of one that is hardly larger than a piece with its margin, the whole.

    `margin` is what takes part around each, in blocks.
    """
    tops, lefts = (_starts(blocks, margin) for blocks in (layout.rows, layout.columns))
    for top, bottom in zip(tops, [*tops[1:], layout.rows], strict=True):
        for left, right in zip(lefts, [*lefts[1:], layout.columns], strict=True):
            yield Window(top, left, bottom - top, right - left)


def with_margin(piece: Window, layout: Grid, margin: int) -> Window:
    """A piece and so many blocks around it, which take part in what is made of it."""
    top, left = max(0, piece.top - margin), max(0, piece.left - margin)
    bottom = min(layout.rows, piece.top + piece.height + margin)
    right = min(layout.columns, piece.left + piece.width + margin)
    return Window(top, left, bottom - top, right - left)


def known_part(piece: Window, known: NDArray[np.bool_]) -> Window | None:
    """The rectangle about what is known of a piece: no work for what nobody has sent; None if nothing is known.

    `known` is of each block of the photo, [rows, columns].
    """
    rows, columns = np.nonzero(known[piece.slices()])
    if not len(rows):
        return None
    top, left = int(rows.min()), int(columns.min())
    height, width = int(rows.max()) + 1 - top, int(columns.max()) + 1 - left
    return Window(piece.top + top, piece.left + left, height, width)


def padded(photo: Photo, window: Window) -> Tensor:
    """Some blocks of a photo [H, W, 3], edges repeated to whole blocks: RGB 0..1, [1, 3, h, w]."""
    rows, columns = window.slices(BLOCK)
    pixels = torch.from_numpy(np.array(photo[rows, columns])).permute(2, 0, 1)[None].float() / 255
    below, right = window.height * BLOCK - pixels.shape[2], window.width * BLOCK - pixels.shape[3]
    return F.pad(pixels, (0, right, 0, below), mode="replicate")


def to_photo(pixels: Tensor, height: int, width: int) -> Photo:
    """RGB around 0..1, [1, 3, h, w] -> [height, width, 3], 0..255."""
    cut = pixels[0, :, :height, :width].float()
    rounded: Photo = (cut * 255).round_().clamp_(0, 255).to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
    return rounded


def _starts(blocks: int, margin: int) -> list[int]:
    return list(range(0, blocks, PIECE)) if blocks > PIECE + 2 * margin else [0]

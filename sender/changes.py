"""Which part of a frame has to be sent: where the receivers are known to show something worse than they could."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo

BLOCK = 32
"""Side of a block, in pixels."""

TOLERANCE = 1.25
NOISE = 2.0
"""A block stays as it is shown if its mean squared error, in squared 8-bit steps, is at most so many times what coding
it costs anyway, and this much more: a decibel, and a little over what rounding and a quiet camera do."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame, in pixels; left and top are multiples of `BLOCK`."""

    left: int
    top: int
    width: int
    height: int

    def of(self, photo: Photo) -> Photo:
        """This part of a photo, [height, width, 3]."""
        return photo[self.top : self.top + self.height, self.left : self.left + self.width]

    @property
    def blocks(self) -> tuple[slice, slice]:
        """Where its blocks are in an array of one value a block."""
        rows = slice(self.top // BLOCK, -(-(self.top + self.height) // BLOCK))
        return rows, slice(self.left // BLOCK, -(-(self.left + self.width) // BLOCK))


def block_errors(photo: Photo, shown: Photo) -> NDArray[np.float64]:
    """Mean squared difference of two pictures of one size in each block, [ceil(H / BLOCK), ceil(W / BLOCK)]."""
    height, width = photo.shape[:2]
    squares = ((photo.astype(np.int32) - shown) ** 2).mean(axis=2)
    rows, columns = np.arange(0, height, BLOCK), np.arange(0, width, BLOCK)
    sums = np.add.reduceat(np.add.reduceat(squares, rows, axis=0), columns, axis=1)
    sizes = np.outer(np.diff(rows, append=height), np.diff(columns, append=width))
    return np.asarray(sums / sizes)


def changed_region(photo: Photo, shown: Photo, attainable: NDArray[np.float64]) -> Region | None:
    """The smallest rectangle of whole blocks with all that has to be sent; None if the receivers show it well enough.

    Args:
        photo: the frame, [H, W, 3].
        shown: what the receivers are known to show, [H, W, 3].
        attainable: mean squared error of each block once all that was coded for it has arrived.
    """
    needed = block_errors(photo, shown) > TOLERANCE * attainable + NOISE
    if not needed.any():
        return None
    rows, columns = np.flatnonzero(needed.any(axis=1)), np.flatnonzero(needed.any(axis=0))
    left, top = int(columns[0]) * BLOCK, int(rows[0]) * BLOCK
    right = min(photo.shape[1], (int(columns[-1]) + 1) * BLOCK)
    bottom = min(photo.shape[0], (int(rows[-1]) + 1) * BLOCK)
    return Region(left, top, right - left, bottom - top)

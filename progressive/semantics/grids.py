"""Maps of a photo on coarser grids: the pixels of a cell averaged or summed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.floating[Any]]
"""A number for each cell of a grid, [h, w]."""


def area_average(values: Map, height: int, width: int) -> NDArray[np.float64]:
    """[H, W] -> [height, width]: the photo divided into equal cells, each the mean over its area.

    Pixels that a border cuts count with the share that lies inside, so any size goes to any other and the mean stays.
    This is the resizing that makes a semantic importance map (SIM) of a heat map (RMPGC, section III-D).
    """
    return _average_rows(_average_rows(values, height).T, width).T


def block_sums(values: Map, side: int) -> NDArray[np.float64]:
    """[H, W] -> [ceil(H / side), ceil(W / side)]: sums over square blocks; those at the far edges hold fewer pixels."""
    height, width = values.shape
    rows = np.add.reduceat(values, np.arange(0, height, side), axis=0, dtype=np.float64)
    return np.asarray(np.add.reduceat(rows, np.arange(0, width, side), axis=1))


def block_average(values: Map, side: int) -> NDArray[np.float64]:
    """[H, W] -> [ceil(H / side), ceil(W / side)]: means over square blocks, for latents of padded photos."""
    height, width = values.shape
    return block_sums(values, side) / block_areas(height, width, side)


def block_areas(height: int, width: int, side: int) -> NDArray[np.float64]:
    """Pixels of each block, [ceil(height / side), ceil(width / side)]."""

    def lengths(size: int) -> NDArray[np.int64]:
        starts = np.arange(0, size, side)
        return np.minimum(starts + side, size) - starts

    return np.outer(lengths(height), lengths(width)).astype(np.float64)


def _average_rows(values: Map, count: int) -> NDArray[np.float64]:
    """Means between `count + 1` equally spaced borders, as differences of the integral at the borders."""
    size = len(values)
    integral = np.zeros((size + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=integral[1:])
    borders = np.arange(count + 1) * (size / count)
    whole = np.minimum(borders.astype(np.int64), size - 1)
    at_borders = integral[whole] + (borders - whole)[:, None] * values[whole]
    return np.diff(at_borders, axis=0) * (count / size)

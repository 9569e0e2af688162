"""The semantic importance map as it travels: at most 128 cells of three bits, the same on both ends.

    map [H, W]  ->  CoarseMap  ->  to_bytes: rows (1 byte), columns (1 byte), levels (3 bits each, raster order, high
                                   bits first, zeros up to a whole byte)  ->  from_bytes  ->  upsampled to any grid

A photo of 768x512 pixels takes 9 rows of 14 cells, 50 bytes; none takes more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.errors import BitstreamError, UsageError
from progressive.semantics.grids import Map, area_average

MAX_CELLS = 128
TOP_LEVEL = 7
BITS = 3


@dataclass(frozen=True, eq=False)
class CoarseMap:
    """A quantised map of importance.

    Fields:
        levels: [rows, columns], 0..7; level / 7 is the importance, 0..1.
    """

    levels: NDArray[np.uint8]

    @classmethod
    def of(cls, importance: Map) -> CoarseMap:
        """The coarse map of an importance map, [H, W], 0..1: means over cells, rounded to the nearest level.

        Raises UsageError if there is no pixel or a value is not finite.
        """
        if importance.ndim != 2 or not importance.size or not np.isfinite(importance).all():
            raise UsageError(f"no coarse map of {importance.shape}: give finite numbers for a photo's pixels, [H, W]")
        means = area_average(importance, *coarse_grid(*importance.shape))
        return cls(np.floor(np.clip(means, 0, 1) * TOP_LEVEL + 0.5).astype(np.uint8))

    def to_bytes(self) -> bytes:
        rows, columns = self.levels.shape
        bits = np.unpackbits(self.levels.reshape(-1, 1), axis=1)[:, -BITS:]
        return bytes([rows, columns]) + np.packbits(bits).tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> CoarseMap:
        """Parses exactly one map; raises BitstreamError for any other bytes than `to_bytes` writes."""
        if len(data) < 2:
            raise BitstreamError(f"coarse map is {len(data)} bytes, needs at least 2")
        rows, columns = data[:2]
        cells = rows * columns
        if not 1 <= cells <= MAX_CELLS:
            raise BitstreamError(f"coarse map claims {rows} x {columns} cells, has 1 to {MAX_CELLS}")
        packed = np.frombuffer(data[2:], np.uint8)
        if len(packed) != math.ceil(cells * BITS / 8):
            raise BitstreamError(f"coarse map of {rows} x {columns} cells cannot take {len(data)} bytes")
        bits = np.unpackbits(packed)
        if bits[cells * BITS :].any():
            raise BitstreamError("coarse map ends in bits that are not zero")
        levels = np.packbits(bits[: cells * BITS].reshape(cells, BITS), axis=1) >> np.uint8(8 - BITS)
        return cls(levels.reshape(rows, columns))

    def upsampled(self, height: int, width: int) -> NDArray[np.float32]:
        """The importance on any grid, [height, width], 0..1, bilinear between the centres of cells.

        Weights and sums are whole numbers below 2**53, exact in double precision however they are added up; one
        rounded division follows. So every machine gets the same bits.
        """
        rows, columns = self.levels.shape
        sums = _bilinear_weights(height, rows) @ self.levels.astype(np.float64) @ _bilinear_weights(width, columns).T
        return (sums / (TOP_LEVEL * 2 * height * 2 * width)).astype(np.float32)


def coarse_grid(height: int, width: int) -> tuple[int, int]:
    """Rows and columns for a photo of this many pixels: cells about square, at most 128, none below a pixel."""
    rows = round(math.sqrt(MAX_CELLS * height / width))
    rows = min(max(rows, 1), MAX_CELLS, height)
    columns = min(MAX_CELLS // rows, max(1, round(rows * width / height)), width)
    return rows, columns


def _bilinear_weights(size: int, cells: int) -> NDArray[np.float64]:
    """Row i holds the weights of the cells at position i, whole numbers that sum to 2 * size: [size, cells].

    In units of 1 / (2 size) cells, position i lies (2 i + 1) cells - size to the right of the first cell's centre.
    """
    unit = 2 * size
    offset = np.clip((2 * np.arange(size) + 1) * cells - size, 0, unit * (cells - 1))
    left = np.minimum(offset // unit, max(cells - 2, 0))
    right_share = offset - left * unit
    weights = np.zeros((size, cells))
    positions = np.arange(size)
    weights[positions, left] = unit - right_share
    if cells > 1:
        weights[positions, left + 1] = right_share
    return weights

"""Geometry: cells of 16 pixels that have 32 binary codes an iteration, in tiles that are coded alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from progressive.segments.rectangle import Rectangle

CELL = 16
"""Pixels on a side of a cell."""

BITS = 32
"""Binary codes of a cell and iteration: 1/8 bit a pixel (Wang et al. 2019, section 3.2)."""

ITERATIONS = 24
"""Of a cell at most; beyond, quality hardly rises (Wang et al. 2019, section 3.3)."""

TILE = 32
"""Cells on a side of a tile: 512 pixels."""


class Window(Rectangle):
    """A rectangle of cells."""

    @property
    def cells(self) -> int:
        return self.area


@dataclass(frozen=True, slots=True)
class Layout:
    """Where cells and tiles of a photo lie. Fields: width and height of the photo in pixels."""

    width: int
    height: int

    @property
    def rows(self) -> int:
        """Cells from top to bottom; the last may reach beyond the photo."""
        return -(-self.height // CELL)

    @property
    def columns(self) -> int:
        """Cells from left to right, likewise."""
        return -(-self.width // CELL)

    @property
    def tile_columns(self) -> int:
        return -(-self.columns // TILE)

    @property
    def tiles(self) -> int:
        return -(-self.rows // TILE) * self.tile_columns

    def window(self, tile: int) -> Window:
        """The cells of a tile; tiles are numbered row by row."""
        top, left = tile // self.tile_columns * TILE, tile % self.tile_columns * TILE
        return Window(top, left, min(TILE, self.rows - top), min(TILE, self.columns - left))

    def around(self, window: Window, halo: int) -> Window:
        """A window with so many cells more on each side, as far as there are any."""
        top, left = max(0, window.top - halo), max(0, window.left - halo)
        bottom = min(self.rows, window.top + window.height + halo)
        right = min(self.columns, window.left + window.width + halo)
        return Window(top, left, bottom - top, right - left)

    def windows(self) -> Iterator[Window]:
        return map(self.window, range(self.tiles))

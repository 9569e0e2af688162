"""Where things are in a photo: blocks of 64 pixels, and tiles of some blocks that share their first segment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from progressive.segments.rectangle import Rectangle

BLOCK = 64
"""Side in pixels of a block."""

TILE_SIDES = (8, 4, 2, 1)
"""Blocks of a tile's side: the largest whose first segment fits is taken."""


class Window(Rectangle):
    """A rectangle of blocks."""

    @property
    def blocks(self) -> int:
        return self.area


@dataclass(frozen=True, slots=True)
class Layout:
    """The geometry of a photo. Fields: its width and height in pixels; the side of its tiles in blocks."""

    width: int
    height: int
    tile_side: int = TILE_SIDES[0]

    @property
    def rows(self) -> int:
        """Blocks from top to bottom."""
        return -(-self.height // BLOCK)

    @property
    def columns(self) -> int:
        """Blocks from left to right."""
        return -(-self.width // BLOCK)

    @property
    def whole(self) -> Window:
        """All blocks."""
        return Window(0, 0, self.rows, self.columns)

    @property
    def tile_columns(self) -> int:
        return -(-self.columns // self.tile_side)

    @property
    def tiles(self) -> int:
        return -(-self.rows // self.tile_side) * self.tile_columns

    def window(self, tile: int) -> Window:
        """The blocks of a tile; tiles are numbered row by row."""
        side = self.tile_side
        top, left = (tile // self.tile_columns) * side, (tile % self.tile_columns) * side
        return Window(top, left, min(side, self.rows - top), min(side, self.columns - left))

    def windows(self) -> Iterator[Window]:
        return (self.window(tile) for tile in range(self.tiles))

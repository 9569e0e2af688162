"""Where things are: blocks of 64 pixels, and tiles of some blocks that share their first latent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from progressive.codecs.hierarchical_vae.latents import BLOCK

TILE_SIDES = (8, 4, 2, 1)
"""Blocks of a tile's side: the largest whose first latent fits a segment is taken."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of blocks."""

    top: int
    left: int
    height: int
    width: int

    @property
    def blocks(self) -> int:
        return self.height * self.width

    def inside(self, other: Window) -> Window:
        """The same blocks, counted from the first one of another rectangle."""
        return Window(self.top - other.top, self.left - other.left, self.height, self.width)

    def common(self, other: Window) -> Window | None:
        """The blocks that are in both."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        height = min(self.top + self.height, other.top + other.height) - top
        width = min(self.left + self.width, other.left + other.width) - left
        return Window(top, left, height, width) if height > 0 and width > 0 else None

    def slices(self, unit: int) -> tuple[slice, slice]:
        """Its rows and columns in a grid of `unit` cells a block."""
        return (
            slice(self.top * unit, (self.top + self.height) * unit),
            slice(self.left * unit, (self.left + self.width) * unit),
        )


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

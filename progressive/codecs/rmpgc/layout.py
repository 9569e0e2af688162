"""Where things are: scales, bands, blocks and tiles.

The latent has seven scales: the lowest band, then the detail of each level of the transform, coarsest first. A position
of scale i covers `STRIDES[i]` pixels square. A **block** is 64 pixels square, one position of the coarsest scales, and
the unit of the enhance layers. A **tile** is up to 8x8 blocks with a base of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SCALES = 7
STRIDES = (64, 64, 32, 16, 8, 4, 2)
"""Pixels a position, coarsest scale first."""

COLOUR_CHANNELS = ((1, 1, 1), *[(3, 3, 3)] * 5, (3, 0, 0))
"""Coefficients a position of luma and of each opponent colour: bands of detail; the finest ones only of luma."""

CHANNELS = tuple(sum(each) for each in COLOUR_CHANNELS)
LUMA = tuple(each[0] for each in COLOUR_CHANNELS)

BLOCK = 64
"""Side of a block in pixels."""

BLOCK_SIDES = tuple(BLOCK // s for s in STRIDES)
"""Side of a block in positions of each scale."""

TILE = 512
"""Side of a tile in pixels."""

PLANES = 4
"""Enhance planes; plane 0 is the base."""

TIERS = 2
"""Steps in which a block takes a plane: first the symbols that are likely to be worth their bits, then the others."""

LEVELS = PLANES * TIERS
"""Steps that a block can take beyond the base."""


def plane_and_tier(level: int) -> tuple[int, int]:
    """Plane (1..PLANES) and tier (0..TIERS - 1) that bring a block to this level (1..LEVELS)."""
    plane, tier = divmod(level - 1, TIERS)
    return plane + 1, tier


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
    """The geometry that a photo's size fixes. Fields: width and height of the photo in pixels."""

    width: int
    height: int

    @property
    def rows(self) -> int:
        """Blocks from top to bottom."""
        return -(-self.height // BLOCK)

    @property
    def columns(self) -> int:
        """Blocks from left to right."""
        return -(-self.width // BLOCK)

    @property
    def tile_columns(self) -> int:
        return -(-self.columns // (TILE // BLOCK))

    @property
    def tiles(self) -> int:
        return -(-self.rows // (TILE // BLOCK)) * self.tile_columns

    def window(self, tile: int) -> Window:
        """The blocks of a tile; tiles are numbered row by row."""
        side = TILE // BLOCK
        top, left = (tile // self.tile_columns) * side, (tile % self.tile_columns) * side
        return Window(top, left, min(side, self.rows - top), min(side, self.columns - left))

    def windows(self) -> Iterator[Window]:
        return (self.window(tile) for tile in range(self.tiles))

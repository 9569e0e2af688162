"""Where things are, whatever the backbone: blocks, tiles, and how deep they go.

A **block** is 64 pixels square and the unit of the enhance layers. A **tile** is up to 8x8 blocks with a base of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

BLOCK = 64
"""Side of a block in pixels."""

TILE = 512
"""Side of a tile in pixels."""


@dataclass(frozen=True)
class Depth:
    """How a backbone's latent is layered.

    Fields:
        stages: of the base of a tile, which come one after the other; 7 at most.
        planes: enhance layers of a block.
        tiers: steps in which a block takes a plane.
    """

    stages: int
    planes: int
    tiers: int

    @property
    def levels(self) -> int:
        """Steps that a block can take beyond the base."""
        return self.planes * self.tiers

    @cached_property
    def runs(self) -> tuple[tuple[int, int], ...]:
        """First and last stage of each kind of segment of the base."""
        return tuple((first, last) for first in range(self.stages) for last in range(first, self.stages))

    def layer_of(self, level: int) -> int:
        """0 for the base, then the number of the enhance plane."""
        return -(-level // self.tiers)


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
    """The geometry that a photo's size fixes. Fields: width and height of the photo in pixels; the backbone's depth."""

    width: int
    height: int
    depth: Depth

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

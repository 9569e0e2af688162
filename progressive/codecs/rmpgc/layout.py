"""Where things are, whatever the backbone: blocks, tiles, and how deep they go.

A **block** is 64 pixels square and the unit of the enhance layers. A **tile** is up to 8x8 blocks with a base of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from progressive.segments.tiles import BLOCK, Window

__all__ = ["BLOCK", "TILE", "Depth", "Layout", "Window"]

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

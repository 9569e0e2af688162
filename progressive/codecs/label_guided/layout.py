"""Where things are: cells of 16 pixels, blocks of 64, and tiles of some blocks that share their first segment."""

from __future__ import annotations

from dataclasses import dataclass

from progressive.segments import tiles
from progressive.segments.tiles import BLOCK, Window

CELL = 16
"""Side in pixels of a cell: a label, and a position of the latent."""

SIDE = BLOCK // CELL
"""Cells of a block's side."""

MARGIN = 4
"""Blocks around a piece of a large photo that take part in its picture."""


@dataclass(frozen=True, slots=True)
class Layout(tiles.Layout):
    """The geometry of a photo, in cells too."""

    def cells(self, window: Window) -> tuple[int, int]:
        """Rows and columns of cells that a window has of the photo itself, which its blocks may go beyond."""
        rows, columns = -(-self.height // CELL), -(-self.width // CELL)
        return (
            min(window.height * SIDE, rows - window.top * SIDE),
            min(window.width * SIDE, columns - window.left * SIDE),
        )

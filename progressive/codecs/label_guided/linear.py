"""The linear shortcut of encoder and decoder, in cells of the label map; networks add to it."""

from __future__ import annotations

from progressive.codecs.label_guided.groups import CHANNELS
from progressive.codecs.label_guided.layout import CELL
from progressive.transforms.cells import CellTransform


class Linear(CellTransform):
    """Coefficients [N, C, h, w] of cells of 16x16 pixels."""

    def __init__(self) -> None:
        super().__init__(CHANNELS, CELL)

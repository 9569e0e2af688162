"""The linear shortcut of encoder and decoder: a Karhunen-Loeve transform of cells, coefficients of most energy first.

Networks add to it what a linear transform of single cells cannot know.

Legend: N photos; C coefficients; h x w cells of k x k pixels.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CellTransform(nn.Module):
    """The transform; `start` are the coefficients of the mean cell, which the others are about.

    Args:
        channels: coefficients of a cell.
        cell: its side in pixels.
    """

    def __init__(self, channels: int, cell: int) -> None:
        super().__init__()
        self.cell = cell
        self.analysis = nn.Parameter(torch.zeros(channels, 3 * cell**2, 1, 1))
        self.synthesis = nn.Parameter(torch.zeros(3 * cell**2, channels, 1, 1))
        self.start = nn.Parameter(torch.zeros(channels, 1, 1))

    def analyse(self, photos: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3, k h, k w] -> coefficients [N, C, h, w]."""
        return F.conv2d(F.pixel_unshuffle(photos - 0.5, self.cell), self.analysis) - self.start

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """[N, C, h, w] -> RGB around 0..1, [N, 3, k h, k w]."""
        return F.pixel_shuffle(F.conv2d(coefficients + self.start, self.synthesis), self.cell) + 0.5

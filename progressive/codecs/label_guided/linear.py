"""The linear shortcut of encoder and decoder: a Karhunen-Loeve transform of cells, coefficients of most energy first.

Networks add to it what a linear transform of single cells cannot know.

Legend: N photos; C coefficients; h x w cells.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.groups import CHANNELS
from progressive.codecs.label_guided.layout import CELL

SAMPLES = 3 * CELL * CELL


class Linear(nn.Module):
    """The transform; `start` are the coefficients of the mean cell, which the others are about."""

    def __init__(self) -> None:
        super().__init__()
        self.analysis = nn.Parameter(torch.zeros(CHANNELS, SAMPLES, 1, 1))
        self.synthesis = nn.Parameter(torch.zeros(SAMPLES, CHANNELS, 1, 1))
        self.start = nn.Parameter(torch.zeros(CHANNELS, 1, 1))

    def analyse(self, photos: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3, 16 h, 16 w] -> coefficients [N, C, h, w]."""
        return F.conv2d(F.pixel_unshuffle(photos - 0.5, CELL), self.analysis) - self.start

    def synthesise(self, coefficients: Tensor) -> Tensor:
        """[N, C, h, w] -> RGB around 0..1, [N, 3, 16 h, 16 w]."""
        return F.pixel_shuffle(F.conv2d(coefficients + self.start, self.synthesis), CELL) + 0.5

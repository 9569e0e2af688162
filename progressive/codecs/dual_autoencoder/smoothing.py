"""A small convolutional filter that takes the edges of blocks, and the noise of coarse steps, out of the luma.

It works on the grid of blocks, a pixel of the block being a channel, so that it costs 0.2 MMAC a block.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.dual_autoencoder.layout import PIXELS, PLANES

WIDTH = 96
HALO = 3
"""Block rows above and below that an output row depends on: one for each layer."""

_SCALE = 64.0


class SmoothingFilter(nn.Module):
    """Blocks before and after: three 3x3 convolutions whose output is added to the input.

    Inputs: blocks [N, P, h, w] in 8-bit steps about zero; level [N, h, w], 0..PLANES; detailed [N, h, w], bool.
    """

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(PIXELS + PLANES + 2, WIDTH, 3, padding=1, padding_mode="replicate")
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, padding=1, padding_mode="replicate")
        self.last = nn.Conv2d(WIDTH, PIXELS, 3, padding=1, padding_mode="replicate")
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias if self.last.bias is not None else self.last.weight)

    def forward(self, blocks: Tensor, level: Tensor, detailed: Tensor) -> Tensor:
        known = torch.cat([F.one_hot(level.long(), PLANES + 1), detailed.long()[..., None]], -1)
        known = known.permute(0, 3, 1, 2).to(blocks.dtype)
        features = torch.cat([blocks / _SCALE, known], 1)
        features = F.leaky_relu(self.first(features), 0.1)
        features = F.leaky_relu(self.second(features), 0.1)
        correction: Tensor = self.last(features)
        return blocks + correction * _SCALE

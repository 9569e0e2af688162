"""The decoder's network, float: residual blocks from 1/16 to 1/2 of the resolution.

It sees which cells have the enhance layer (U of RMPGC Eq. 30). The last layer is zero at first: the picture is the
linear transform's. Nothing is normalised over the picture: a piece of a large photo looks the same as the whole.

Legend: N photos; h x w cells.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import CHANNELS
from progressive.transforms.blocks import ResidualBlock, zeroed

STRIDES = (16, 8, 4, 2)
WIDTHS = (128, 96, 48, 24)
BLOCKS = (2, 2, 2, 1)
"""Pixels a position, channels, and residual blocks of each level."""

PIXELS_LEVEL = 2
"""The level that sees the linear picture."""

SHAPE = f"{WIDTHS}{BLOCKS}{PIXELS_LEVEL}"
GAIN = 0.5
"""What coefficients are multiplied with."""


class Synthesis(nn.Module):
    """Latent and mask -> picture. 1.3 million parameters, 7.4 GMAC for 768x512."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS + 1, WIDTHS[0], 3, padding=1)
        self.up = nn.ModuleList([nn.Conv2d(a, 4 * b, 1) for a, b in pairwise(WIDTHS)])
        self.pixels = nn.Conv2d(3 * STRIDES[PIXELS_LEVEL] ** 2, WIDTHS[PIXELS_LEVEL], 3, padding=1)
        self.blocks = nn.ModuleList(
            [
                nn.Sequential(*(ResidualBlock(width) for _ in range(count)))
                for width, count in zip(WIDTHS, BLOCKS, strict=True)
            ]
        )
        self.leave = zeroed(nn.Conv2d(WIDTHS[-1], 3 * STRIDES[-1] ** 2, 3, padding=1))

    def forward(self, linear: Tensor, values: Tensor, mask: Tensor) -> Tensor:
        """Makes the picture, RGB around 0..1, [N, 3, 16 h, 16 w].

        Args:
            linear: the linear transform's, of the same shape.
            values: coefficients in photo values, zero where they are missing, [N, CHANNELS, h, w].
            mask: 1 where the enhance layer is known, 0 elsewhere, [N, 1, h, w].
        """
        h = self.enter(torch.cat([values * GAIN, mask], 1).contiguous(memory_format=torch.channels_last))
        for level in range(len(STRIDES)):
            if level:
                h = F.pixel_shuffle(self.up[level - 1](F.relu(h)), 2)
            if level == PIXELS_LEVEL:
                pixels = F.pixel_unshuffle(linear - 0.5, STRIDES[level])
                h = h + self.pixels(pixels.contiguous(memory_format=torch.channels_last))
            h = self.blocks[level](h)
        added: Tensor = F.pixel_shuffle(self.leave(F.relu(h)), STRIDES[-1])
        return linear + added

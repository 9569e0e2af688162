"""The networks of encoder and decoder, float.

The paper's (Fig. 7) have instance normalisation over the picture, so that a piece of it looks different from the whole;
ours have none. They begin as a linear transform of cells, to which convolutions add.

Legend: N photos; C channels; h x w positions of 8 pixels.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.lsgan.variants import CELL, CHANNELS
from progressive.transforms.blocks import ResidualBlock, zeroed
from progressive.transforms.cells import CellTransform

ENTER = 4
"""Pixels a position of the encoder's first layer."""

WIDTHS = (48, 96)
"""Of the encoder, at 1/4 and 1/8."""

BLOCKS = (1, 3)

STRIDES = (8, 4, 2)
DECODER_WIDTHS = (96, 48, 24)
DECODER_BLOCKS = (5, 2, 1)
PIXELS_LEVEL = 1
"""The level of the decoder that sees the linear picture."""

SHAPE = f"{WIDTHS}{BLOCKS}{DECODER_WIDTHS}{DECODER_BLOCKS}"


class Analysis(nn.Module):
    """Photos -> what is added to the linear latent; nothing at first. 0.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3 * ENTER**2, WIDTHS[0], 3, padding=1)
        self.near = _blocks(WIDTHS[0], BLOCKS[0])
        self.down = nn.Conv2d(4 * WIDTHS[0], WIDTHS[1], 1)
        self.far = _blocks(WIDTHS[1], BLOCKS[1])
        self.leave = zeroed(nn.Conv2d(WIDTHS[1], CHANNELS, 1))

    def forward(self, photos: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3, 8 h, 8 w] -> [N, C, h, w]."""
        pixels = F.pixel_unshuffle(photos - 0.5, ENTER).contiguous(memory_format=torch.channels_last)
        near = F.relu(self.near(self.enter(pixels)))
        far = self.far(self.down(F.pixel_unshuffle(near, CELL // ENTER)))
        added: Tensor = self.leave(F.relu(far)).float()
        return added


class Synthesis(nn.Module):
    """A latent and what is known of it -> a picture. 1.0 million parameters, 4.0 GMAC for 480x360."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS + 1, DECODER_WIDTHS[0], 3, padding=1)
        self.up = nn.ModuleList([nn.Conv2d(a, 4 * b, 1) for a, b in pairwise(DECODER_WIDTHS)])
        self.blocks = nn.ModuleList([_blocks(w, n) for w, n in zip(DECODER_WIDTHS, DECODER_BLOCKS, strict=True)])
        self.pixels = nn.Conv2d(3 * STRIDES[PIXELS_LEVEL] ** 2, DECODER_WIDTHS[PIXELS_LEVEL], 3, padding=1)
        self.leave = zeroed(nn.Conv2d(DECODER_WIDTHS[-1], 3 * STRIDES[-1] ** 2, 3, padding=1))

    def forward(self, latent: Tensor, condition: Tensor, linear: Tensor) -> Tensor:
        """Makes the picture.

        Args:
            latent: [N, C, h, w].
            condition: U of the paper, 1 where all channels are known, [N, 1, h, w].
            linear: the linear transform's picture, RGB around 0..1, [N, 3, 8 h, 8 w].
        """
        h = self.enter(torch.cat([latent, condition], 1).contiguous(memory_format=torch.channels_last))
        for level, blocks in enumerate(self.blocks):
            if level:
                h = F.pixel_shuffle(self.up[level - 1](F.relu(h)), 2)
            if level == PIXELS_LEVEL:
                pixels = F.pixel_unshuffle(linear - 0.5, STRIDES[level])
                h = h + self.pixels(pixels.contiguous(memory_format=torch.channels_last))
            h = blocks(h)
        added: Tensor = F.pixel_shuffle(self.leave(F.relu(h)), STRIDES[-1])
        return linear + added


class Generator(nn.Module):
    """Encoder E and decoder G. Fields: the linear transform; what is added to it on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = CellTransform(CHANNELS, CELL)
        self.analysis, self.synthesis = Analysis(), Synthesis()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, photos: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3, 8 h, 8 w] -> z before it is quantised, [N, C, h, w]."""
        added: Tensor = self.analysis(photos)
        return self.linear.analyse(photos) + added

    def decode(self, latent: Tensor, condition: Tensor) -> Tensor:
        """What `Synthesis` makes of levels, under a condition: RGB around 0..1, [N, 3, 8 h, 8 w]."""
        picture: Tensor = self.synthesis(latent, condition, self.linear.synthesise(latent))
        return picture


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width) for _ in range(count)))

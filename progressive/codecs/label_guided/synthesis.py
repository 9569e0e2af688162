"""The decoder's network, float: SPADE residual blocks from 1/16 to 1/2 of the resolution (Iwai et al., Fig. 4).

Semantic features of the label map, up-sampled with the picture, scale and shift normalised features (Eq. 7, 10 and 11).
Where the paper normalises each channel over the picture (Eq. 8 and 9) each position is normalised over its channels, so
that a piece of a large photo looks the same as the whole. Blank cells have no class. The last layer is zero at first:
the picture is the linear transform's.

Legend: N photos; C coefficients; h x w cells; S semantic features.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.analysis import level_input
from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS
from progressive.transforms.blocks import zeroed

STRIDES = (16, 8, 4, 2)
WIDTHS = (96, 64, 48, 24)
BLOCKS = (2, 2, 2, 1)
SEMANTIC = (32, 24, 16, 12)
"""Pixels a position, channels, residual blocks, and semantic features of each level."""

PIXELS_LEVEL = 2
"""The level that sees the linear picture."""

SPADE_SIDES = (3, 3, 1, 1)
"""Of the kernels that make scales and shifts of semantic features, at each level."""

SHAPE = f"{WIDTHS}{BLOCKS}{SEMANTIC}{SPADE_SIDES}"
GAIN = 0.3
"""What coefficients are multiplied with."""

EPSILON = 1e-4


class Spade(nn.Module):
    """Normalised features, scaled and shifted by what the label map says (Eq. 7).

    Args:
        width: channels.
        semantic: features of the label map.
        side: of the kernel.
    """

    def __init__(self, width: int, semantic: int, side: int) -> None:
        super().__init__()
        self.gamma_beta = nn.Conv2d(semantic, 2 * width, side, padding=side // 2)
        with torch.no_grad():
            self.gamma_beta.weight.mul_(0.5)
            self.gamma_beta.bias.zero_()  # type: ignore[union-attr]

    def forward(self, h: Tensor, semantic: Tensor) -> Tensor:
        """[N, width, h, w] and [N, S, h, w] -> [N, width, h, w]."""
        scale, shift = self.gamma_beta(semantic).chunk(2, 1)
        centred = h - h.mean(1, keepdim=True)
        normalised = centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + EPSILON)
        return torch.addcmul(shift, normalised, 1 + scale)


class SpadeBlock(nn.Module):
    """Two SPADE layers, each with a ReLU and a convolution, beside a shortcut (Fig. 4b)."""

    def __init__(self, width: int, semantic: int, side: int) -> None:
        super().__init__()
        self.spades = nn.ModuleList([Spade(width, semantic, side) for _ in range(2)])
        self.convolutions = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in range(2)])
        with torch.no_grad():
            self.convolutions[1].weight.mul_(0.2)  # type: ignore[operator]

    def forward(self, h: Tensor, semantic: Tensor) -> Tensor:
        added = h
        for spade, convolution in zip(self.spades, self.convolutions, strict=True):
            added = convolution(F.relu(spade(added, semantic)))
        return h + added


class Synthesis(nn.Module):
    """Latent and label map -> picture. 1.2 million parameters, 3.5 GMAC for 480x360."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS + len(GROUPS) + 1, WIDTHS[0], 3, padding=1)
        self.semantic = nn.Conv2d(COUNT, SEMANTIC[0], 3, padding=1)
        self.semantic_up = nn.ModuleList([nn.Conv2d(a, 4 * b, 1) for a, b in pairwise(SEMANTIC)])
        self.up = nn.ModuleList([nn.Conv2d(a, 4 * b, 1) for a, b in pairwise(WIDTHS)])
        self.pixels = nn.Conv2d(3 * STRIDES[PIXELS_LEVEL] ** 2, WIDTHS[PIXELS_LEVEL], 3, padding=1)
        self.blocks = nn.ModuleList(
            [
                nn.ModuleList([SpadeBlock(width, semantic, side) for _ in range(count)])
                for width, semantic, side, count in zip(WIDTHS, SEMANTIC, SPADE_SIDES, BLOCKS, strict=True)
            ]
        )
        self.leave = zeroed(nn.Conv2d(WIDTHS[-1], 3 * STRIDES[-1] ** 2, 3, padding=1))

    def forward(self, linear: Tensor, values: Tensor, labels: Tensor, known: Tensor, levels: Tensor) -> Tensor:
        """Makes the picture.

        Args:
            linear: the linear transform's, RGB around 0..1, [N, 3, 16 h, 16 w].
            values: coefficients in photo values, zero where they are missing, [N, C, h, w].
            labels: classes or BLANK, int64 [N, h, w].
            known: how many groups of each cell are known, [N, h, w].
            levels: of the photos, [N].
        """
        groups = torch.arange(len(GROUPS), device=known.device).view(-1, 1, 1)
        validity = (known[:, None] > groups).to(values.dtype)
        inputs = torch.cat([values * GAIN, validity, level_input(levels, values)], 1)
        classes = torch.arange(COUNT, device=labels.device).view(-1, 1, 1)
        h = self.enter(inputs.contiguous(memory_format=torch.channels_last))
        one_hot = (labels[:, None] == classes).to(values.dtype).contiguous(memory_format=torch.channels_last)
        semantic = F.relu(self.semantic(one_hot))
        for level in range(len(STRIDES)):
            if level:
                semantic = F.relu(F.pixel_shuffle(self.semantic_up[level - 1](semantic), 2))
                h = F.pixel_shuffle(self.up[level - 1](h), 2)
            if level == PIXELS_LEVEL:
                pixels = F.pixel_unshuffle(linear - 0.5, STRIDES[level])
                h = h + self.pixels(pixels.contiguous(memory_format=torch.channels_last))
            for block in self.blocks[level]:  # type: ignore[attr-defined]
                h = block(h, semantic)
        added: Tensor = F.pixel_shuffle(self.leave(F.relu(h)), STRIDES[-1])
        return linear + added

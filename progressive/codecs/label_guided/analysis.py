"""The encoder's networks, float: what the latent gets beyond the linear transform, and the hyperprior.

Legend: N photos; C coefficients; h x w cells; R x K blocks.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.label_guided.groups import CHANNELS, FIRST, GROUPS
from progressive.codecs.label_guided.layout import SIDE
from progressive.codecs.label_guided.prior import HYPER_CHANNELS
from progressive.codecs.label_guided.steps import FINEST, steps_of
from progressive.transforms.blocks import ResidualBlock, zeroed

ENTER = 4
"""Pixels a position of the first layer."""

WIDTHS = (48, 64, 96)
"""At 1/4, 1/8 and 1/16 of the resolution."""

HYPER_SEEN = GROUPS[1].stop
HYPER_WIDTH = 96
BRIGHTNESS = 0.6
"""Of the hyperprior's start: its steps a photo value of the brightest channel."""

LEAST_SIZE, USUAL_SIZE = 0.05, 2.0
"""Added to sizes in steps, so that nothing is a size as well; what their logarithm is about, below one."""

SHAPE = f"{WIDTHS}{HYPER_SEEN}{HYPER_WIDTH}"


class Analysis(nn.Module):
    """Photos -> what is added to their coefficients, in steps; nothing at first. 0.6 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3 * ENTER**2 + 1, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(4 * a, b, 1) for a, b in pairwise(WIDTHS)])
        self.blocks = nn.ModuleList([ResidualBlock(width) for width in WIDTHS])
        self.leave = zeroed(nn.Conv2d(WIDTHS[-1], CHANNELS, 1))

    def forward(self, photos: Tensor, levels: Tensor) -> Tensor:
        """RGB in 0..1 [N, 3, 16 h, 16 w], levels [N] -> [N, C, h, w]."""
        pixels = F.pixel_unshuffle(photos - 0.5, ENTER)
        h = torch.cat([pixels, level_input(levels, pixels)], 1).contiguous(memory_format=torch.channels_last)
        h = self.blocks[0](self.enter(h))
        for down, block in zip(self.down, self.blocks[1:], strict=True):
            h = block(down(F.pixel_unshuffle(F.relu(h), 2)))
        added: Tensor = self.leave(F.relu(h)).float()
        return added


class HyperAnalysis(nn.Module):
    """Coefficients of the first groups -> the hyperprior before it is rounded.

    It starts as a block's mean brightness and how much goes on in it; from nothing it stays nothing, as what costs bits
    has to be of use at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2 * HYPER_SEEN * SIDE**2, HYPER_WIDTH, 1)
        self.mix = nn.Conv2d(HYPER_WIDTH, HYPER_WIDTH, 1)
        self.leave = zeroed(nn.Conv2d(HYPER_WIDTH, HYPER_CHANNELS, 1))
        self.start = zeroed(nn.Conv2d(FIRST + 1, HYPER_CHANNELS, 1))
        with torch.no_grad():
            self.start.weight[0, 0] = BRIGHTNESS
            self.start.weight[1, FIRST] = 1.0

    def forward(self, coefficients: Tensor, levels: Tensor) -> Tensor:
        """In steps, [N, C, 4 R, 4 K], levels [N] -> [N, 8, R, K]."""
        seen = F.pixel_unshuffle(coefficients[:, :HYPER_SEEN], SIDE)
        h = torch.cat([seen, seen.abs()], 1).clamp(-32, 32) / 4
        means = F.avg_pool2d(coefficients[:, :FIRST], SIDE) * steps_of(levels).view(-1, 1, 1, 1)
        sizes = F.avg_pool2d(coefficients[:, FIRST:HYPER_SEEN].abs().mean(1, keepdim=True), SIDE)
        start = self.start(torch.cat([means, torch.log2(sizes + LEAST_SIZE) + USUAL_SIZE], 1))
        found: Tensor = (start + self.leave(F.relu(self.mix(F.relu(self.enter(h)))))).float()
        return found


def level_input(levels: Tensor, like: Tensor) -> Tensor:
    """The level of each photo as a plane, -1..1, [N, 1, h, w]."""
    plane = levels.to(like.device).float().view(-1, 1, 1, 1) / FINEST * 2 - 1
    return plane.expand(-1, 1, *like.shape[2:])

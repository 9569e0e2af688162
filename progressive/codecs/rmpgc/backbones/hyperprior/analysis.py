"""The encoder's networks, float: what the latent gets beyond the linear transform, and the hyperpriors.

Legend: N photos; C channels; h x w cells; R x K blocks.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.hyperprior.channels import BASE, CHANNELS, HYPER_CHANNELS, SIDE
from progressive.transforms.blocks import ResidualBlock, zeroed

ENTER = 4
"""Pixels a position of the first layer."""

WIDTHS = (48, 64, 96)
"""At 1/4, 1/8 and 1/16 of the resolution."""

GAIN = 4.0
"""What photos about zero are multiplied with, so that what is added can grow soon."""

MOST_ADDED = 4.0
"""Steps that are added to a coefficient at most, whatever the photo."""

HYPER_WIDTH = 96
MEANS = 3
"""Of the base's channels whose means over a block its hyperprior starts as: brightness and colours."""

BRIGHTNESS = 0.5
"""Of the hyperprior's start: its steps a step of a channel's mean."""

LEAST_SIZE, USUAL_SIZE = 0.05, 2.0
"""Added to sizes in steps, so that nothing is a size as well; what their logarithm is about, below one."""

SHAPE = f"{WIDTHS}{HYPER_WIDTH}"


class Analysis(nn.Module):
    """Photos -> what is added to their coefficients, in steps of each layer; nothing at first. 0.4 million weights."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Conv2d(3 * ENTER**2, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(4 * a, b, 1) for a, b in pairwise(WIDTHS)])
        self.blocks = nn.ModuleList([ResidualBlock(width) for width in WIDTHS])
        self.leave = zeroed(nn.Conv2d(WIDTHS[-1], BASE + CHANNELS, 1))

    def forward(self, photos: Tensor) -> tuple[Tensor, Tensor]:
        """RGB in 0..1 [N, 3, 16 h, 16 w] -> base [N, BASE, h, w], enhance [N, CHANNELS, h, w]."""
        pixels = F.pixel_unshuffle(GAIN * (photos - 0.5), ENTER).contiguous(memory_format=torch.channels_last)
        h = self.blocks[0](self.enter(pixels))
        for down, block in zip(self.down, self.blocks[1:], strict=True):
            h = block(down(F.pixel_unshuffle(F.relu(h), 2)))
        added = MOST_ADDED * torch.tanh(self.leave(F.relu(h)).float() / MOST_ADDED)
        base, enhance = torch.split_with_sizes(added, [BASE, CHANNELS], 1)
        return base, enhance


class HyperAnalysis(nn.Module):
    """Coefficients of a layer -> its hyperprior before it is rounded.

    It starts as the means of the first channels and as how much goes on in the others; from nothing it stays nothing,
    as what costs bits has to be of use at once.

    Args:
        seen: channels.
        means: of them whose means it starts as.
    """

    def __init__(self, seen: int, means: int) -> None:
        super().__init__()
        self.means = means
        self.enter = nn.Conv2d(2 * seen * SIDE**2, HYPER_WIDTH, 1)
        self.mix = nn.Conv2d(HYPER_WIDTH, HYPER_WIDTH, 1)
        self.leave = zeroed(nn.Conv2d(HYPER_WIDTH, HYPER_CHANNELS, 1))
        self.start = zeroed(nn.Conv2d(means + 1, HYPER_CHANNELS, 1))
        with torch.no_grad():
            for channel in range(means):
                self.start.weight[channel, channel] = BRIGHTNESS
            self.start.weight[means, means] = 1.0

    def forward(self, coefficients: Tensor) -> Tensor:
        """In steps, [N, C, 4 R, 4 K] -> [N, 8, R, K]."""
        seen = F.pixel_unshuffle(coefficients, SIDE)
        h = torch.cat([seen, seen.abs()], 1).clamp(-32, 32) / 4
        means = F.avg_pool2d(coefficients, SIDE)[:, : self.means]
        sizes = F.avg_pool2d(coefficients[:, self.means :].abs().mean(1, keepdim=True), SIDE)
        start = self.start(torch.cat([means, torch.log2(sizes + LEAST_SIZE) + USUAL_SIZE], 1))
        found: Tensor = (start + self.leave(F.relu(self.mix(F.relu(self.enter(h)))))).float()
        return found

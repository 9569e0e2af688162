"""What an encoder adds to the coefficients of the transform, as it knows what the synthesis restores.

Bits that tell what the synthesis would have guessed are saved, details that it can build on are kept. A decoder knows
nothing of this: it reads what was coded. A new network adds nothing.

Legend: N photos; H, W multiples of 64; scale i is [N, CHANNELS[i], H / STRIDES[i], W / STRIDES[i]].
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.scales import CHANNELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Residual

WIDTH, EXPANDED = 48, 96
CELL = 4
"""Pixels a position of the finest features."""

LEVELS = SCALES - 2
"""Of features, from 1/64 to 1/4 of the resolution: the two coarsest scales have one in common, and the two finest."""

FINEST_BLOCKS = 2


class Analysis(nn.Module):
    """Photos in their colours, RGB in 0..1 [N, 3, H, W] -> what is added, all scales. 0.5 GMAC for 768x512."""

    def __init__(self) -> None:
        super().__init__()
        finest = LEVELS - 1
        inputs = [4 * WIDTH] * finest + [3 * CELL**2]
        self.enter = nn.ModuleList([nn.Conv2d(count, WIDTH, 1) for count in inputs])
        depths = [1] * finest + [FINEST_BLOCKS]
        self.body = nn.ModuleList([nn.Sequential(*(Residual(WIDTH, EXPANDED) for _ in range(n))) for n in depths])
        outputs = [CHANNELS[0] + CHANNELS[1], *CHANNELS[2 : finest + 1], CHANNELS[-2] + 4 * CHANNELS[-1]]
        self.leave = nn.ModuleList([nn.Conv2d(WIDTH, count, 1) for count in outputs])
        for weight in self.leave.parameters():
            nn.init.zeros_(weight)

    def forward(self, photos: Tensor) -> list[Tensor]:
        seen = F.pixel_unshuffle(photos - 0.5, CELL)
        added: list[Tensor] = []
        for level in reversed(range(LEVELS)):
            entered = self.enter[level](seen.contiguous(memory_format=torch.channels_last))
            features = self.body[level](F.relu(entered))
            added.insert(0, self.leave[level](features))
            if level:
                seen = F.pixel_unshuffle(features, 2)
        coarsest, *middle, finest = added
        return [
            *torch.split(coarsest, list(CHANNELS[:2]), 1),
            *middle,
            finest[:, : CHANNELS[-2]],
            F.pixel_shuffle(finest[:, CHANNELS[-2] :], 2),
        ]

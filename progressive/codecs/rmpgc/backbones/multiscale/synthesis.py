"""From the linear picture to the final one: a network that knows how much each block has.

Legend: N photos; H, W multiples of 64; h, w = H / 4, W / 4; R x K blocks. A block's **state** says what of it is there:
`MISSING` nothing, then one more for each scale of the base and each level (`state_of`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS, SCALES
from progressive.codecs.rmpgc.layout import BLOCK

MISSING = 0
STATES = 1 + SCALES + LEVELS
CELL = 4
"""Pixels a position of the network."""

WIDTH = 64
EXPANDED = 256
DEPTH = 4
SHAPE = f"{DEPTH}x{WIDTH}/{EXPANDED}"
"""What weights have to be for: blocks, their width, and inside."""

COARSE_WIDTH = 96
COARSE = 4
"""The coarse branch works at 1/16 of the photo's resolution."""


def state_of(scales: int, level: int) -> int:
    """The state of a block that has this many scales of its base and has reached this level."""
    return scales + level


class Synthesis(nn.Module):
    """What a network at a quarter of the resolution adds to the linear picture.

    It starts with nothing: the last layer is zero. 4.3 GMAC for a 768x512 photo.
    """

    def __init__(self) -> None:
        super().__init__()
        pixels = 3 * CELL**2
        self.enter = nn.Conv2d(pixels, WIDTH, 3, padding=1)
        self.state = nn.Embedding(STATES, (DEPTH + 1) * WIDTH)
        self.coarse = nn.Sequential(
            nn.Conv2d(WIDTH, COARSE_WIDTH, COARSE, COARSE, groups=4),
            nn.ReLU(),
            *(Residual(COARSE_WIDTH, 2 * COARSE_WIDTH) for _ in range(2)),
            nn.Conv2d(COARSE_WIDTH, WIDTH, 1),
        )
        self.body = nn.ModuleList([Residual(WIDTH, EXPANDED) for _ in range(DEPTH)])
        self.leave = nn.Conv2d(WIDTH, pixels, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]
        nn.init.normal_(self.state.weight, std=0.02)

    def forward(self, linear: Tensor, states: Tensor) -> Tensor:
        """The linear picture, RGB around 0..1 [N, 3, H, W], and states [N, R, K] -> the picture."""
        pixels = F.pixel_unshuffle(linear - 0.5, CELL).contiguous(memory_format=torch.channels_last)
        first, *each = self.state(states).chunk(len(self.body) + 1, -1)
        features = F.relu(_with_states(self.enter(pixels), first), inplace=True)
        features = features + F.interpolate(self.coarse(features), scale_factor=COARSE, mode="bilinear")
        for block, state in zip(self.body, each, strict=True):
            features = block(_with_states(features, state))
        return linear + F.pixel_shuffle(self.leave(features), CELL)


class Residual(nn.Module):
    """h -> h + narrow(relu(widen(depthwise(h)))), where narrow is zero at first: a new one changes nothing."""

    def __init__(self, width: int, expanded: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.widen = nn.Conv2d(width, expanded, 1)
        self.narrow = nn.Conv2d(expanded, width, 1)
        nn.init.zeros_(self.narrow.weight)
        nn.init.zeros_(self.narrow.bias)  # type: ignore[arg-type]

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.narrow(F.relu(self.widen(self.depthwise(h)), inplace=True))
        return out


def _with_states(features: Tensor, of_block: Tensor) -> Tensor:
    """Adds what each block's state says, [N, R, K, C], to all its positions, [N, C, h, w]."""
    count, rows, columns, width = of_block.shape
    cells = BLOCK // CELL
    positions = features.permute(0, 2, 3, 1).reshape(count, rows, cells, columns, cells, width)
    added = positions + of_block[:, :, None, :, None]
    return added.reshape(count, rows * cells, columns * cells, width).permute(0, 3, 1, 2)

"""From indices to a picture: bins to values, the inverse wavelet, and a network that knows how much each block has.

Legend: N photos; H, W multiples of 64; h, w = H / 4, W / 4; R x K blocks. A block's **state** says what of it is there:
`MISSING` nothing, then one more for each stage of the base and each level (`state_of`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.rmpgc import quantiser, wavelet
from progressive.codecs.rmpgc.layout import BLOCK, BLOCK_SIDES, LEVELS, LUMA, PLANES, SCALES, STAGES, STRIDES, TIERS

MISSING = 0
STATES = 1 + len(STAGES) + LEVELS
WIDTH = 64
EXPANDED = 128
DEPTH = 3
COARSE_WIDTH = 96
KINDS = 3
"""Sizes of an index that have shares of their own in the dequantiser: 1, 2, and all beyond."""

COARSE = 4
"""The coarse branch works at 1/16 of the photo's resolution."""


def state_of(stages: int, level: int) -> int:
    """The state of a block that has this many stages of its base and has reached this level."""
    return stages + level


def whole_planes(states: Tensor, scale: int) -> Tensor:
    """How many enhance planes of a scale are whole in a block of each state; -1 where even the base is missing."""
    stage = next(i for i, scales in enumerate(STAGES) if scale in scales)
    planes = torch.div((states - len(STAGES)).clamp(min=0), TIERS, rounding_mode="floor")
    return torch.where(states > stage, planes, -1)


def in_plane(states: Tensor) -> Tensor:
    """Whether a block of each state has the first tier of a plane, not the second."""
    return ((states - len(STAGES)).clamp(min=0) % TIERS).bool()


class Dequantiser(nn.Module):
    """Bins to values: the middle of a bin, moved towards zero by a share of its width that training found."""

    def __init__(self) -> None:
        super().__init__()
        shape = (SCALES, 2, PLANES + 1, KINDS)
        self.inward: Tensor
        self.register_buffer("inward", torch.zeros(shape))

    def forward(self, index: Tensor, plane: int, scale: int) -> Tensor:
        """Indices of a plane, [N, C, h, w] -> expected coefficients."""
        table = self._table(plane, scale)
        reach = len(table[0]) // 2
        channels = torch.arange(index.shape[1], device=index.device).view(-1, 1, 1)
        place = (channels >= LUMA[scale]) * len(table[0]) + reach
        return table.flatten()[index.long() + place]

    def _table(self, plane: int, scale: int) -> Tensor:
        """The coefficient that each index of a plane stands for, in luma and in the opponent colours, [2, indices]."""
        reach = quantiser.reach(plane)
        index = torch.arange(-reach, reach + 1, device=self.inward.device)
        lower, upper = quantiser.bin_of(index.to(self.inward), plane)
        share = self.inward[scale, :, plane][:, (index.abs() - 1).clamp(0, KINDS - 1)]
        return (lower + upper) / 2 - torch.sign(index) * share * (upper - lower)

    def at_level(self, index: Tensor, symbols: Tensor, tiers: Tensor, level: int, scale: int) -> Tensor:
        """Expected coefficients of blocks at one level, [B, C, s, s].

        Args:
            index: indices of the last whole plane.
            symbols, tiers: what is known of the next one, in blocks that have begun it.
        """
        plane, begun = divmod(level, TIERS)
        values: Tensor = self(index, plane, scale)
        if begun:
            values = torch.where(
                tiers < begun, self(quantiser.child_of(index, symbols, plane + 1), plane + 1, scale), values
            )
        return values

    def fit(self, latent: list[Tensor], index: list[Tensor], plane: int) -> None:
        """Sets the shares of a plane to their means over some photos."""
        for scale, (value, n) in enumerate(zip(latent, index, strict=True)):
            lower, upper = quantiser.bin_of(n, plane)
            share = torch.sign(n) * ((lower + upper) / 2 - value) / (upper - lower)
            for colour, chosen in enumerate((slice(LUMA[scale]), slice(LUMA[scale], None))):
                size, found = n[:, chosen].abs(), share[:, chosen]
                for kind in range(KINDS):
                    inside = size == kind + 1 if kind < KINDS - 1 else size >= KINDS
                    if inside.any():
                        self.inward[scale, colour, plane, kind] = found[inside].mean()


class Synthesis(nn.Module):
    """Values and states to a picture: the inverse wavelet plus what a network at a quarter of the resolution adds.

    It starts as the inverse wavelet: the last layer is zero. 2.2 GMAC for a 768x512 photo.
    """

    def __init__(self) -> None:
        super().__init__()
        pixels = 3 * STRIDES[-1] ** 2
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

    def forward(self, latent: list[Tensor], states: Tensor) -> Tensor:
        """Latents (five scales) and states [N, R, K] -> RGB around 0..1, [N, 3, H, W]."""
        return self.refine(wavelet.synthesise(latent), states)

    def refine(self, linear: Tensor, states: Tensor) -> Tensor:
        """The linear picture [N, 3, H, W] and states [N, R, K] -> the picture."""
        pixels = F.pixel_unshuffle(linear - 0.5, STRIDES[-1]).contiguous(memory_format=torch.channels_last)
        first, *each = self.state(states).chunk(DEPTH + 1, -1)
        features = F.relu(_with_states(self.enter(pixels), first))
        features = features + F.interpolate(self.coarse(features), scale_factor=COARSE, mode="bilinear")
        for block, state in zip(self.body, each, strict=True):
            features = block(_with_states(features, state))
        return linear + F.pixel_shuffle(self.leave(features), STRIDES[-1])


class Residual(nn.Module):
    """h -> h + narrow(relu(widen(depthwise(h))))."""

    def __init__(self, width: int, expanded: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 5, padding=2, groups=width)
        self.widen = nn.Conv2d(width, expanded, 1)
        self.narrow = nn.Conv2d(expanded, width, 1)
        with torch.no_grad():
            self.narrow.weight.mul_(0.3)

    def forward(self, h: Tensor) -> Tensor:
        out: Tensor = h + self.narrow(F.relu(self.widen(self.depthwise(h))))
        return out


def _with_states(features: Tensor, of_block: Tensor) -> Tensor:
    """Adds what each block's state says, [N, R, K, C], to all its positions, [N, C, h, w]."""
    count, rows, columns, width = of_block.shape
    cells = BLOCK // STRIDES[-1]
    positions = features.permute(0, 2, 3, 1).reshape(count, rows, cells, columns, cells, width)
    added = positions + of_block[:, :, None, :, None]
    return added.reshape(count, rows * cells, columns * cells, width).permute(0, 3, 1, 2)


def spread(per_block: Tensor, scale: int) -> Tensor:
    """A value a block, [N, R, K] -> a value a position of a scale, [N, 1, h, w]."""
    side = BLOCK_SIDES[scale]
    return per_block.repeat_interleave(side, 1).repeat_interleave(side, 2)[:, None]

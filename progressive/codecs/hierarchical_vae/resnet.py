"""The residual networks of encoder and decoder, float, conditioned on gamma (ResNet VAE, Fig. 4).

    photo ─ bottom-up ─> what each latent gets beyond its wavelet coefficients
    latents, linear picture ─ top-down ─> what the picture gets beyond the inverse wavelet

Both start with adding nothing: their heads are zero. They only choose and show latents; what decodes is integer
(`prior`).

Legend: N photos; H, W multiples of 64; R x K blocks of 64 pixels; E channels of an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from progressive.codecs.hierarchical_vae.latents import CHANNELS, LATENTS
from progressive.codecs.hierarchical_vae.rates import FINEST, Gammas
from progressive.segments.tiles import BLOCK

STRIDES = (4, 8, 16, 32, 64)
"""Pixels a position of each level of the networks, finest first."""

WIDTHS = (48, 64, 64, 64, 64)
UP_BLOCKS = (1, 1, 1, 1, 1)
DOWN_BLOCKS = (3, 2, 1, 1, 1)
"""Residual blocks of each level, bottom-up and top-down."""

EMBEDDING = 24
WAVES = 8
SHAPE = f"{WIDTHS}{UP_BLOCKS}{DOWN_BLOCKS}{EMBEDDING}"
"""What weights have to be for."""

SCALES_OF_LEVELS = ((5, 6), (4,), (3,), (2,), (0, 1))
"""Scales of the latents that each level sees or adds to."""

GAINS = (1 / 8, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""What coefficients of each scale are multiplied with, so that they are about as large as others."""


class Conditioning(nn.Module):
    """gamma as an embedding: sines and cosines, and two fully connected layers over them."""

    waves: Tensor

    def __init__(self) -> None:
        super().__init__()
        position = torch.arange(FINEST + 1)[:, None] / FINEST
        angles = position * math.pi * 2.0 ** torch.arange(WAVES // 2)
        self.register_buffer("waves", torch.cat([torch.sin(angles), torch.cos(angles)], 1), persistent=False)
        self.layers = nn.Sequential(nn.Linear(WAVES, 2 * EMBEDDING), nn.GELU(), nn.Linear(2 * EMBEDDING, EMBEDDING))

    def forward(self, gammas: Gammas) -> list[Tensor]:
        """Gammas of N photos -> for each level [N, E, h, w]."""
        table = self.layers(self.waves)
        return [F.embedding(gammas.scales[s[0]].long(), table).permute(0, 3, 1, 2) for s in SCALES_OF_LEVELS]


class Block(nn.Module):
    """h -> h + second(relu(scaled and shifted first(h))); the second convolution is zero at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = _zero(nn.Conv2d(width, width, 3, padding=1))
        self.modulation = _zero(nn.Conv2d(EMBEDDING, 2 * width, 1))

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """[N, C, h, w] and [N, E, h, w] -> [N, C, h, w]."""
        scale, shift = self.modulation(embedding).chunk(2, 1)
        out: Tensor = h + self.second(F.relu(torch.addcmul(shift, self.first(h), 1 + scale)))
        return out


class BottomUp(nn.Module):
    """The encoder: features of a photo at five levels, each of which adds to its latents' coefficients."""

    def __init__(self) -> None:
        super().__init__()
        self.conditioning = Conditioning()
        self.enter = nn.Conv2d(3 * STRIDES[0] ** 2, WIDTHS[0], 3, padding=1)
        self.down = nn.ModuleList([nn.Conv2d(4 * a, b, 1) for a, b in pairwise(WIDTHS)])
        self.blocks = nn.ModuleList(
            [nn.ModuleList([Block(w) for _ in range(n)]) for w, n in zip(WIDTHS, UP_BLOCKS, strict=True)]
        )
        self.leave = nn.ModuleList(
            [_zero(nn.Conv2d(w, _channels(s), 1)) for w, s in zip(WIDTHS, SCALES_OF_LEVELS, strict=True)]
        )

    def forward(self, photos: Tensor, gammas: Gammas) -> list[Tensor]:
        """RGB in 0..1 [N, 3, H, W] -> what is added to all scales, in steps, [N, C, h, w]."""
        embeddings = self.conditioning(gammas)
        h = self.enter(F.pixel_unshuffle(photos - 0.5, STRIDES[0]).contiguous(memory_format=torch.channels_last))
        added: dict[int, Tensor] = {}
        for level, scales in enumerate(SCALES_OF_LEVELS):
            if level:
                h = F.relu(self.down[level - 1](F.pixel_unshuffle(h, 2)))
            for block in self.blocks[level]:  # type: ignore[attr-defined]
                h = block(h, embeddings[level])
            added |= _scales_of(self.leave[level](h).float(), scales)
        return [added[scale] for scale in range(len(CHANNELS))]


class TopDown(nn.Module):
    """The decoder: latents from the coarsest to the finest, each level with what it adds; 5 GMAC for 768x512."""

    def __init__(self) -> None:
        super().__init__()
        self.conditioning = Conditioning()
        self.state = nn.Embedding(len(LATENTS) + 1, EMBEDDING)
        self.see = nn.ModuleList([nn.Conv2d(_channels(s), w, 1) for w, s in zip(WIDTHS, SCALES_OF_LEVELS, strict=True)])
        self.pixels = nn.Conv2d(3 * STRIDES[0] ** 2, WIDTHS[0], 3, padding=1)
        self.up = nn.ModuleList([nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(WIDTHS)])
        self.blocks = nn.ModuleList(
            [nn.ModuleList([Block(w) for _ in range(n)]) for w, n in zip(WIDTHS, DOWN_BLOCKS, strict=True)]
        )
        self.leave = _zero(nn.Conv2d(WIDTHS[0], 3 * STRIDES[0] ** 2, 1))
        nn.init.normal_(self.state.weight, std=0.1)

    def forward(self, linear: Tensor, values: Sequence[Tensor], gammas: Gammas, known: Tensor) -> Tensor:
        """Makes the picture.

        Args:
            linear: the inverse wavelet's, RGB around 0..1, [N, 3, H, W].
            values: the coefficients of all scales, [N, C, h, w].
            gammas: of the photos.
            known: how many latents of each block are known, [N, R, K].
        """
        states = self.state(known.long())
        h: Tensor | None = None
        for level in reversed(range(len(STRIDES))):
            side = BLOCK // STRIDES[level]
            if level == len(STRIDES) - 1:
                embeddings = self.conditioning(gammas)
            embedding = embeddings[level] + states.permute(0, 3, 1, 2).repeat_interleave(side, 2).repeat_interleave(
                side, 3
            )
            seen = self.see[level](_stacked(values, SCALES_OF_LEVELS[level]))
            h = seen if h is None else seen + F.pixel_shuffle(self.up[level](h), 2)
            if level == 0:
                pixels = F.pixel_unshuffle(linear - 0.5, STRIDES[0]).contiguous(memory_format=torch.channels_last)
                h = h + self.pixels(pixels)
            h = F.relu(h)
            for block in self.blocks[level]:  # type: ignore[attr-defined]
                h = block(h, embedding)
        added: Tensor = F.pixel_shuffle(self.leave(h), STRIDES[0])
        return linear + added


def _channels(scales: Sequence[int]) -> int:
    """Channels of scales at the resolution of the first."""
    return sum(CHANNELS[s] * (4 if s == 6 else 1) for s in scales)


def _stacked(values: Sequence[Tensor], scales: Sequence[int]) -> Tensor:
    """Coefficients of scales, about as large as others, at the resolution of the first."""
    parts = [values[s] * GAINS[s] for s in scales]
    parts = [F.pixel_unshuffle(p, 2) if s == 6 else p for p, s in zip(parts, scales, strict=True)]
    return torch.cat(parts, 1).contiguous(memory_format=torch.channels_last)


def _scales_of(stacked: Tensor, scales: Sequence[int]) -> dict[int, Tensor]:
    """The inverse of `_stacked`, but for the gains."""
    parts = torch.split(stacked, [_channels([s]) for s in scales], 1)
    return {s: F.pixel_shuffle(p, 2) if s == 6 else p for p, s in zip(parts, scales, strict=True)}


def _zero(layer: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer

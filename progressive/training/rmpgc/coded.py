"""Crops of photos as a receiver has them: coded once by the codec as it is, kept at every level.

Crops are coded as photos of their own: one that is cut out of a coded photo has other borders than its transform takes
for granted.

Legend: R x K blocks; C coefficients a position; h x w positions of a scale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import state_of
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState, code_everything
from progressive.codecs.rmpgc.layout import BLOCK
from progressive.exact.coders import CostMeter
from progressive.training.rmpgc.export import Analyse

AT_ONCE = 8
"""Crops that are coded together."""


@dataclass(frozen=True)
class CodedPhoto:
    """A photo, or a crop, and what is known of it at each level.

    Fields:
        photo: bytes [3, 64 R, 64 K].
        colours: its colour axes.
        values: at levels 0..LEVELS, of each scale, float16 [R * K, C, s, s].
    """

    photo: Tensor
    colours: Colours
    values: list[list[Tensor]]

    def at(self, states: Tensor) -> list[Tensor]:
        """What a receiver in these states, [R, K], has of it: all scales, [1, C, h, w]."""
        found = []
        for scale, side in enumerate(BLOCK_SIDES):
            known = torch.zeros_like(self.values[0][scale], dtype=torch.float32)
            for level in range(LEVELS + 1):
                here = (states == state_of(SCALES, level)).flatten()
                if level == 0:  # scales of a base that is not whole are what they are in a whole one
                    here |= ((states > scale) & (states < state_of(SCALES, 0))).flatten()
                known[here] = self.values[level][scale][here].float()
            grid = known.view(*states.shape, -1, side, side).permute(2, 0, 3, 1, 4)
            found.append(grid.reshape(1, -1, states.shape[0] * side, states.shape[1] * side))
        return found


@torch.inference_mode()
def coded(photos: Sequence[Tensor], coding: Coding, analyse: Analyse) -> list[CodedPhoto]:
    """Codes photos of one size, bytes [3, H, W], as far as whole blocks cover them.

    They go through the networks side by side, as one would take about as long as eight: the base of one sees the next
    one's border, which changes little of what is coded and nothing of what is read from it.
    """
    rows, columns = (n // BLOCK for n in photos[0].shape[1:])
    whole = [photo[:, : rows * BLOCK, : columns * BLOCK] for photo in photos]
    colours = [Colours.of(photo.permute(1, 2, 0).numpy()) for photo in photos]
    turned = [c.turned(w[None].float() / 255) for c, w in zip(colours, whole, strict=True)]
    latent = [torch.cat(scale, 3) for scale in zip(*map(analyse, turned), strict=True)]
    target = Target(latent, Choices(latent[0], 0.0, coding.tables, coding.points))
    state, meter = (
        TileState(rows, columns * len(photos), coding),
        CostMeter(coding.tables, rows * columns * len(photos)),
    )
    grid = torch.arange(rows * columns * len(photos)).reshape(rows, len(photos), columns)
    values: list[list[list[Tensor]]] = [[] for _ in photos]
    for level in code_everything(state, target, meter):
        for number, known in enumerate(values):
            blocks = grid[:, number].flatten()
            known.append([state.values(blocks, level, scale).half() for scale in range(SCALES)])
    return [CodedPhoto(*each) for each in zip(whole, colours, values, strict=True)]


class CodedPool:
    """Coded crops to draw from; each is coded when it is first drawn.

    Args:
        photos: bytes [3, H, W], each side at least that of the crops.
        count: of crops, one of each photo before the second of any.
        side: of the crops in pixels, a multiple of 64.
        coding, analyse: how.
        seed: of where the crops are.
    """

    def __init__(
        self, photos: list[Tensor], count: int, side: int, coding: Coding, analyse: Analyse, seed: int
    ) -> None:
        self._photos, self._count, self._side, self._seed = photos, count, side, seed
        self.how = coding, analyse
        self._coded: dict[int, CodedPhoto] = {}

    def draw(self, rng: np.random.Generator, count: int) -> list[CodedPhoto]:
        """So many crops."""
        return [self._crop(int(rng.integers(self._count))) for _ in range(count)]

    def _crop(self, number: int) -> CodedPhoto:
        if number not in self._coded:
            first = number // AT_ONCE * AT_ONCE
            numbers = range(first, min(first + AT_ONCE, self._count))
            self._coded |= zip(numbers, coded([self._cut(n) for n in numbers], *self.how), strict=True)
        return self._coded[number]

    def _cut(self, number: int) -> Tensor:
        photo = self._photos[number % len(self._photos)]
        rng = np.random.default_rng((self._seed, number))
        top, left = (int(rng.integers(n - self._side + 1)) for n in photo.shape[1:])
        return photo[:, top : top + self._side, left : left + self._side].cpu()

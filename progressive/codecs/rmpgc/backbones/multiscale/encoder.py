"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbone import CodedTile
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices, joined
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.tile import LevelResult, Target, TileState, code_level
from progressive.codecs.rmpgc.layout import Layout, Window
from progressive.exact.coders import JointCoder
from progressive.exact.records import Recorder
from progressive.runtime.threads import idle_threads, one_thread

Figures = NDArray[np.float64]

ENERGIES = tuple(255**2 * norm for norm in (1.3, 1.3, 1.21, 1.16, 1.1, 1.06, 1.0))
"""A squared difference of a coefficient of each scale is so many squared 8-bit steps, summed over samples: the mean
squared norms of the wavelet's synthesis functions."""

MARGIN = 1.6
"""Levels are coded until all that was coded takes so many times the budget: some blocks are worth finer levels than
others, which are left out."""

BLOCKS_AT_ONCE = 128
"""Most blocks of several tiles that go through a level together: few calls of many blocks are
fastest, and their memory is bounded."""


def code_tiles(latent: list[Tensor], layout: Layout, coding: Coding, budget: int | None = None) -> list[CodedTile]:
    """Codes all tiles of a photo's latent, all scales [1, C, h, w].

    `budget` is in bytes: levels that begin far beyond it are left out.
    """
    tiles = [_Tile(latent, layout.window(number), coding) for number in range(layout.tiles)]
    spent = sum(tile.base_bits for tile in tiles)
    groups = list(_groups(tiles))
    for level in range(1, LEVELS + 1):
        spent += sum(_code(group, level) for group in groups)
        if budget is not None and spent > MARGIN * 8 * budget:
            break
    return [tile.coded() for tile in tiles]


def _groups(tiles: Sequence[_Tile]) -> Iterator[list[_Tile]]:
    """Tiles that go through levels together."""
    group: list[_Tile] = []
    for tile in tiles:
        if group and sum(len(t.blocks) for t in (*group, tile)) > BLOCKS_AT_ONCE:
            yield group
            group = []
        group.append(tile)
    yield group


def _code(tiles: Sequence[_Tile], level: int) -> float:
    """The next level of some tiles; what it costs, in bits."""
    records = [Recorder() for _ in tiles]
    coder = JointCoder(records, [len(tile.blocks) for tile in tiles])
    choices = [joined(each) for each in zip(*(t.target.level(level, t.blocks) for t in tiles), strict=True)]
    with torch.inference_mode(), idle_threads():
        results = code_level([(tile.state, tile.blocks) for tile in tiles], coder, level, choices)
    return sum(tile.keep(result, record) for tile, result, record in zip(tiles, results, records, strict=True))


class _Tile:
    """A tile being coded; its base is, when it is made.

    Fields:
        blocks: all of them.
        target, state: what is to be conveyed of it, and what is.
        base_bits: what its base costs.
    """

    def __init__(self, latent: list[Tensor], window: Window, coding: Coding) -> None:
        inside = [y[:, :, *window.slices(side)].to(coding.device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
        self._window, self.blocks = window, list(range(window.blocks))
        self.target = Target(inside, Choices(inside[0], 0.0, coding.tables, coding.points))
        self.state = TileState(window.height, window.width, coding)
        self._tables = coding.tables
        self._stages, self._base_gains = [], []
        with torch.inference_mode():
            for _ in range(SCALES):
                recorder = Recorder()
                with idle_threads():
                    self.state.keep_stages(self.state.code_stages(recorder, 1, self.target.base()))
                self._stages.append(recorder)
                self._base_gains.append(self._gain_of_base(self.state.stages - 1))
        self.base_bits = float(sum(record.bits(coding.tables, 1).sum() for record in self._stages))
        self._levels: list[Recorder] = []
        self._bits: list[Figures] = []
        with torch.inference_mode():
            self._errors = [self._errors_at(0)]

    def keep(self, result: LevelResult, record: Recorder) -> float:
        """Moves on by a level; what it costs, in bits."""
        with torch.inference_mode():
            self.state.keep_level(result)
            self._errors.append(self._errors_at(result.level))
        self._levels.append(record)
        self._bits.append(record.bits(self._tables, len(self.blocks)))
        return float(self._bits[-1].sum())

    def coded(self) -> CodedTile:
        """With all levels so far."""
        gains = -np.diff(np.stack(self._errors), axis=0)
        bits, base_gains = np.stack(self._bits), np.array(self._base_gains)
        by_activity = self.state.by_activity
        return CodedTile(self._window, self._stages, self._levels, by_activity, bits, gains, base_gains)

    def _gain_of_base(self, scale: int) -> float:
        """Squared error that the base of one scale removes from the tile, in 8-bit steps summed over samples."""
        value = self.target.blocks[scale]
        with one_thread():  # the order of a sum decides its last bit
            remaining = value - self.state.values(slice(len(value)), 0, scale)
            return float((value.square() - remaining.square()).sum() * ENERGIES[scale])

    def _errors_at(self, level: int) -> Figures:
        """Squared errors of each block, in 8-bit steps summed over samples, [B]."""
        everything = slice(len(self.blocks))
        with idle_threads():
            errors = [
                (values - self.state.values(everything, level, scale)).square_()
                for scale, values in enumerate(self.target.blocks)
            ]
        with one_thread():
            sums = [error.sum((1, 2, 3)) * energy for error, energy in zip(errors, ENERGIES, strict=True)]
            total = torch.stack(sums).sum(0)
        found: Figures = total.double().cpu().numpy()
        return found

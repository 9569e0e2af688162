"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbone import CodedTile
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices, Tables
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState
from progressive.codecs.rmpgc.layout import Layout, Window
from progressive.exact.records import Recorder, joined

Figures = NDArray[np.float64]

ENERGIES = tuple(255**2 * norm for norm in (1.3, 1.3, 1.21, 1.16, 1.1, 1.06, 1.0))
"""A squared difference of a coefficient of each scale is so many squared 8-bit steps, summed over samples: the mean
squared norms of the wavelet's synthesis functions."""

BLOCKS_AT_ONCE = 48
"""Few calls of many blocks each cost least, as long as every processor has some."""


MARGIN = 1.6
"""Levels are coded until all that was coded takes so many times the budget: some blocks are worth finer levels than
others, which are left out."""


def code_tiles(latent: list[Tensor], layout: Layout, coding: Coding, budget: int | None = None) -> list[CodedTile]:
    """Codes all tiles of a photo's latent, all scales [1, C, h, w], on as many threads as there are processors.

    Blocks are independent once they have their base, so each thread takes some of them through a level. `budget` is in
    bytes: levels that begin far beyond it are left out.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tiles = list(pool.map(lambda n: _Tile(latent, layout.window(n), coding), range(layout.tiles)))
        parts = [part for tile in tiles for part in tile.parts]
        spent = sum(tile.base_bits for tile in tiles)
        for level in range(1, LEVELS + 1):
            spent += sum(pool.map(lambda part, n=level: part.code(n), parts))
            if budget is not None and spent > MARGIN * 8 * budget:
                break
    return [tile.coded() for tile in tiles]


class _Tile:
    """A tile being coded; its base is, when it is made.

    Fields:
        parts: its blocks as threads take them.
        base_bits: what its base costs.
    """

    def __init__(self, latent: list[Tensor], window: Window, coding: Coding) -> None:
        inside = [y[:, :, *window.slices(side)].to(coding.device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
        self._window = window
        self._target = Target(inside, Choices(inside[0], 0.0, coding.tables, coding.points))
        self._state = TileState(window.height, window.width, coding)
        self._stages, self._base_gains = [], []
        with torch.inference_mode():
            for _ in range(SCALES):
                recorder = Recorder()
                self._state.keep_stages(self._state.code_stages(recorder, 1, self._target.base()))
                self._stages.append(recorder)
                self._base_gains.append(self._gain_of_base(self._state.stages - 1))
        self.base_bits = float(sum(record.bits(coding.tables, 1).sum() for record in self._stages))
        blocks = list(range(window.blocks))
        cut = (blocks[first : first + BLOCKS_AT_ONCE] for first in range(0, len(blocks), BLOCKS_AT_ONCE))
        self.parts = [_Part(self._target, self._state, coding.tables, own) for own in cut]

    def coded(self) -> CodedTile:
        """With all levels that its parts have."""
        sizes = [len(part.blocks) for part in self.parts]
        levels = [joined(list(records), sizes) for records in zip(*(p.levels for p in self.parts), strict=True)]
        bits = np.concatenate([np.stack(part.bits) for part in self.parts], 1)
        errors = np.concatenate([np.stack(part.errors) for part in self.parts], 1)
        by_activity = self._state.by_activity
        base_gains = np.array(self._base_gains)
        return CodedTile(self._window, self._stages, levels, by_activity, bits, -np.diff(errors, axis=0), base_gains)

    def _gain_of_base(self, scale: int) -> float:
        """Squared error that the base of one scale removes from the tile, in 8-bit steps summed over samples."""
        value = self._target.blocks[scale]
        remaining = value - self._state.values(slice(len(value)), 0, scale)
        return float((value.square() - remaining.square()).sum() * ENERGIES[scale])


class _Part:
    """Some blocks of a tile, level by level.

    Fields:
        blocks: which, following each other.
        levels: a record of each level so far.
        bits: what each block costs at each, [B] a level.
        errors: squared errors of each block before the first level and after each, in 8-bit steps summed over samples.
    """

    def __init__(self, target: Target, state: TileState, tables: Tables, blocks: list[int]) -> None:
        self.blocks = blocks
        self._target, self._state, self._tables = target, state, tables
        self.levels: list[Recorder] = []
        self.bits: list[Figures] = []
        self.errors = [self._errors(0)]

    @torch.inference_mode()
    def code(self, level: int) -> float:
        """The next level; what it costs, in bits."""
        recorder = Recorder()
        choices = self._target.level(level, self.blocks)
        self._state.keep_level(self._state.code_level(recorder, level, self.blocks, choices))
        self.levels.append(recorder)
        self.bits.append(recorder.bits(self._tables, len(self.blocks)))
        self.errors.append(self._errors(level))
        return float(self.bits[-1].sum())

    @torch.inference_mode()
    def _errors(self, level: int) -> Figures:
        chosen = slice(self.blocks[0], self.blocks[-1] + 1)
        total = torch.zeros(len(self.blocks), device=self._target.blocks[0].device)
        for scale, values in enumerate(self._target.blocks):
            error = values[chosen] - self._state.values(chosen, level, scale)
            total += error.square().sum((1, 2, 3)) * ENERGIES[scale]
        found: Figures = total.double().cpu().numpy()
        return found

"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbone import CodedTile
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, SCALES
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState
from progressive.codecs.rmpgc.layout import Layout, Window
from progressive.exact.records import Recorder, joined

ENERGIES = tuple(255**2 * norm for norm in (1.3, 1.3, 1.21, 1.16, 1.1, 1.06, 1.0))
"""A squared difference of a coefficient of each scale is so many squared 8-bit steps, summed over samples: the mean
squared norms of the wavelet's synthesis functions."""

BLOCKS_AT_ONCE = 48
"""Few calls of many blocks each cost least, as long as every processor has some."""


def code_tiles(latent: list[Tensor], layout: Layout, coding: Coding) -> list[CodedTile]:
    """Codes all tiles of a photo's latent, all scales [1, C, h, w], on as many threads as there are processors.

    Blocks are independent once they have their base, so each thread takes some of them through all levels.
    """
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        tiles = list(pool.map(lambda n: _Tile(latent, layout.window(n), coding), range(layout.tiles)))
        jobs = [(tile, blocks) for tile in tiles for blocks in tile.parts]
        parts = iter(list(pool.map(lambda job: job[0].code_levels(job[1]), jobs)))
    return [tile.coded(list(islice(parts, len(tile.parts)))) for tile in tiles]


@dataclass(frozen=True)
class _Part:
    """All levels of some of a tile's blocks. Fields: a record each; squared errors around them, [LEVELS + 1, B]."""

    levels: list[Recorder]
    errors: NDArray[np.float64]


class _Tile:
    """A tile being coded; its base is, when it is made."""

    def __init__(self, latent: list[Tensor], window: Window, coding: Coding) -> None:
        inside = [y[:, :, *window.slices(side)].to(coding.device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
        self._window, self._tables = window, coding.tables
        self._target = Target(inside, Choices(inside[0], 0.0, coding.tables, coding.points))
        self._state = TileState(window.height, window.width, coding)
        self._stages, self._base_gains = [], []
        with torch.inference_mode():
            for _ in range(SCALES):
                recorder = Recorder()
                self._state.keep_stages(self._state.code_stages(recorder, 1, self._target.base()))
                self._stages.append(recorder)
                self._base_gains.append(self._gain_of_base(self._state.stages - 1))

    @property
    def parts(self) -> list[list[int]]:
        """The blocks of each job."""
        blocks = list(range(self._window.blocks))
        return [blocks[first : first + BLOCKS_AT_ONCE] for first in range(0, len(blocks), BLOCKS_AT_ONCE)]

    @torch.inference_mode()
    def code_levels(self, blocks: list[int]) -> _Part:
        errors, levels = [self._errors(blocks, 0)], []
        for level in range(1, LEVELS + 1):
            recorder = Recorder()
            choices = self._target.level(level, blocks)
            self._state.keep_level(self._state.code_level(recorder, level, blocks, choices))
            errors.append(self._errors(blocks, level))
            levels.append(recorder)
        return _Part(levels, np.stack(errors))

    def coded(self, parts: list[_Part]) -> CodedTile:
        sizes = [len(blocks) for blocks in self.parts]
        levels = [joined([p.levels[n] for p in parts], sizes) for n in range(LEVELS)]
        bits = np.stack([record.bits(self._tables, self._window.blocks) for record in levels])
        gains = -np.diff(np.concatenate([p.errors for p in parts], 1), axis=0)
        by_activity = self._state.by_activity
        return CodedTile(self._window, self._stages, levels, by_activity, bits, gains, np.array(self._base_gains))

    def _gain_of_base(self, scale: int) -> float:
        """Squared error that the base of one scale removes from the tile, in 8-bit steps summed over samples."""
        value = self._target.blocks[scale]
        remaining = value - self._state.values(slice(len(value)), 0, scale)
        return float((value.square() - remaining.square()).sum() * ENERGIES[scale])

    def _errors(self, blocks: list[int], level: int) -> NDArray[np.float64]:
        """Squared error of some blocks at this level, in 8-bit steps summed over samples, [B]."""
        chosen = slice(blocks[0], blocks[-1] + 1)
        total = torch.zeros(len(blocks), device=self._target.blocks[0].device)
        for scale, values in enumerate(self._target.blocks):
            error = values[chosen] - self._state.values(chosen, level, scale)
            total += error.square().sum((1, 2, 3)) * ENERGIES[scale]
        found: NDArray[np.float64] = total.double().cpu().numpy()
        return found

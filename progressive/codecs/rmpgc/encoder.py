"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.choices import Choices
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS, SCALES, Layout, Window
from progressive.codecs.rmpgc.model import Coding
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.tile import Target, TileState

ENERGIES = tuple(255**2 * norm for norm in (1.3, 1.3, 1.21, 1.16, 1.1, 1.06, 1.0))
"""A squared difference of a coefficient of each scale is so many squared 8-bit steps, summed over samples: the mean
squared norms of the wavelet's synthesis functions."""


@dataclass(frozen=True)
class CodedTile:
    """A tile as it can be sent.

    Fields:
        window: its blocks in the photo.
        stages: the base, a record a scale.
        levels: the enhance levels, a record a level, of all blocks.
        by_activity: its blocks as the base lists them.
        bits: what each block costs at each level, [LEVELS, B].
        gains: squared error, in 8-bit steps summed over samples, that each level removes from each block, [LEVELS, B].
        base_gains: what each scale of the base removes from the whole tile, [SCALES].
    """

    window: Window
    stages: list[Recorder]
    levels: list[Recorder]
    by_activity: tuple[int, ...]
    bits: NDArray[np.float64]
    gains: NDArray[np.float64]
    base_gains: NDArray[np.float64]


def code_tile(latent: list[Tensor], layout: Layout, number: int, coding: Coding) -> CodedTile:
    """Codes a tile of a photo's latent (all scales, [1, C, h, w] of the whole photo)."""
    window = layout.window(number)
    inside = [y[:, :, *window.slices(side)].to(coding.device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
    target = Target(inside, Choices(inside[0], 0.0, coding.tables, coding.points))
    state = TileState(window.height, window.width, coding)
    stages, base_gains = [], []
    for _ in range(SCALES):
        recorder = Recorder()
        state.keep_stages(state.code_stages(recorder, 1, target.base()))
        stages.append(recorder)
        base_gains.append(_gain_of_base(target.blocks, state, state.scales - 1))
    by_activity = state.by_activity()
    blocks = list(range(window.blocks))
    errors = _errors(target.blocks, state, 0)
    levels, bits, gains = [], [], []
    for level in range(1, LEVELS + 1):
        recorder = Recorder()
        state.keep_level(state.code_level(recorder, level, blocks, target.level(level, blocks)))
        remaining_errors = _errors(target.blocks, state, level)
        levels.append(recorder)
        bits.append(recorder.bits(coding.tables, window.blocks))
        gains.append((errors - remaining_errors).double().cpu().numpy())
        errors = remaining_errors
    return CodedTile(window, stages, levels, by_activity, np.stack(bits), np.stack(gains), np.array(base_gains))


def _gain_of_base(values: list[Tensor], state: TileState, scale: int) -> float:
    """Squared error that the base of one scale removes from the tile, in 8-bit steps summed over samples."""
    remaining = values[scale] - state.values(_all(values), 0, scale)
    return float((values[scale].square() - remaining.square()).sum() * ENERGIES[scale])


def _errors(values: list[Tensor], state: TileState, level: int) -> Tensor:
    """Squared error of each block at this level, in 8-bit steps summed over samples, [B]."""
    total = torch.zeros(len(values[0]), device=values[0].device)
    for scale, value in enumerate(values):
        error = value - state.values(_all(values), level, scale)
        total += error.square().sum((1, 2, 3)) * ENERGIES[scale]
    return total


def _all(values: list[Tensor]) -> slice:
    return slice(len(values[0]))

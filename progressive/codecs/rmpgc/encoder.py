"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.layout import BLOCK_SIDES, STAGES, Layout, Window
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.codecs.rmpgc.tile import Target, TileState

ENERGIES = tuple(255**2 * norm for norm in (1.3, 1.21, 1.16, 1.1, 1.03))
"""A squared difference of a coefficient of each scale is so many squared 8-bit steps, summed over samples: the mean
squared norms of the wavelet's synthesis functions."""


@dataclass(frozen=True)
class CodedTile:
    """A tile as it can be sent.

    Fields:
        window: its blocks in the photo.
        stages: the base, a record a stage.
        levels: the enhance levels, a record a level, of all blocks.
        bits: what each block costs at each level, [LEVELS, B].
        gains: squared error, in 8-bit steps summed over samples, that each level removes from each block, [LEVELS, B].
        base_gains: what each stage removes from the whole tile, [stages].
        complexity: variance across the coefficients of each block (LCM, RMPGC Eq. 9), [B].
    """

    window: Window
    stages: list[Recorder]
    levels: list[Recorder]
    bits: NDArray[np.float64]
    gains: NDArray[np.float64]
    base_gains: NDArray[np.float64]
    complexity: NDArray[np.float64]


def code_tile(
    latent: list[Tensor], layout: Layout, number: int, model: Model, networks: ProbabilityNetworks
) -> CodedTile:
    """Codes a tile of a photo's latent (five scales, [1, C, h, w] of the whole photo) with networks on their device."""
    window = layout.window(number)
    device = next(networks.parameters()).device
    inside = [y[:, :, *window.slices(side)].to(device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
    target = Target.of(inside, model.dequantiser, model.tables)
    values = target.blocks
    state = TileState(window.height, window.width, networks, model.tiers)
    stages, base_gains = [], []
    for scales in STAGES:
        recorder = Recorder()
        state.keep_stage(state.code_stage(recorder, target.base))
        stages.append(recorder)
        base_gains.append(sum(_gain_of_base(values, state, scale, model.dequantiser) for scale in scales))
    errors = _errors(values, state, 0, model.dequantiser)
    levels, bits, gains = [], [], []
    for level, choices in target.levels(state):
        recorder = Recorder()
        state.keep_level(state.code_level(recorder, level, list(range(window.blocks)), choices))
        remaining_errors = _errors(values, state, level, model.dequantiser)
        levels.append(recorder)
        bits.append(recorder.bits(model.tables, window.blocks))
        gains.append((errors - remaining_errors).double().cpu().numpy())
        errors = remaining_errors
    return CodedTile(window, stages, levels, np.stack(bits), np.stack(gains), np.array(base_gains), _complexity(values))


def _gain_of_base(values: list[Tensor], state: TileState, scale: int, dequantiser: Dequantiser) -> float:
    """Squared error that the base of one scale removes from the tile, in 8-bit steps summed over samples."""
    remaining = values[scale] - dequantiser(state.index[scale].float(), 0, scale)
    return float((values[scale].square() - remaining.square()).sum() * ENERGIES[scale])


def _errors(values: list[Tensor], state: TileState, level: int, dequantiser: Dequantiser) -> Tensor:
    """Squared error of each block at this level, in 8-bit steps summed over samples, [B]; missing scales are zero."""
    total = torch.zeros(len(values[0]), device=values[0].device)
    for scale, value in enumerate(values):
        error = value
        if scale < len(state.index):
            index, symbols = state.index[scale].float(), state.symbols[scale].float()
            error = value - dequantiser.at_level(index, symbols, state.tiers[scale], level, scale)
        total += error.square().sum((1, 2, 3)) * ENERGIES[scale]
    return total


def _complexity(values: list[Tensor]) -> NDArray[np.float64]:
    """LCM of RMPGC Eq. 9, one value a block: its coefficients' variance, the lowest band apart."""
    flat = torch.cat([values[0][:, 1:].flatten(1), *(v.flatten(1) for v in values[1:])], 1)
    complexity: NDArray[np.float64] = flat.var(1).double().cpu().numpy()
    return complexity

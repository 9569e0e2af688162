"""From a latent to everything that could be sent of it: the networks run once, whatever is sent then.

Legend: B blocks of a tile; C coefficients a position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LEVELS, PARTS, SCALES, STAGES, Layout, Window, plane_and_part
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.records import Recorder
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.codecs.rmpgc.tile import TileState, symbols_of_level, to_blocks

ENERGY = 255**2
"""A squared difference of values is so many squared 8-bit steps, summed over samples: the wavelet is nearly orthonormal."""


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


def code_tile(latent: list[Tensor], layout: Layout, number: int, model: Model, networks: ProbabilityNetworks) -> CodedTile:
    """Codes a tile of a photo's latent (five scales, [1, C, h, w] of the whole photo) with networks on their device."""
    window = layout.window(number)
    device = next(networks.parameters()).device
    inside = [y[:, :, *window.slices(side)].to(device) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
    state = TileState(window.height, window.width, networks)
    blocks = list(range(window.blocks))
    values = [to_blocks(y, side) for y, side in zip(inside, BLOCK_SIDES, strict=True)]
    truth = [quantiser.base_index(y) for y in inside]
    errors = [y.square().sum((1, 2, 3)) for y in values]  # of each scale and block, as long as nothing is known
    stages, base_gains = [], []
    for scales in STAGES:
        recorder = Recorder()
        state.keep_stage(state.code_stage(recorder, truth))
        stages.append(recorder)
        base_gains.append(sum(float(_improve(errors, values, state, scale, 0, model.dequantiser).sum()) for scale in scales))
    levels, bits, gains = [], [], []
    for level in range(1, LEVELS + 1):
        recorder = Recorder()
        state.keep_level(state.code_level(recorder, level, blocks, symbols_of_level(inside, state, level)))
        plane, part = plane_and_part(level)
        gain = [_improve(errors, values, state, scale, plane, model.dequantiser) for scale in PARTS[part]]
        levels.append(recorder)
        bits.append(recorder.bits(model.tables, window.blocks))
        gains.append(torch.stack(gain).sum(0).double().cpu().numpy() * ENERGY)
    return CodedTile(
        window, stages, levels, np.stack(bits), np.stack(gains), np.array(base_gains) * ENERGY, _complexity(values)
    )


def _improve(
    errors: list[Tensor], values: list[Tensor], state: TileState, scale: int, plane: int, dequantiser: Dequantiser
) -> Tensor:
    """How much a new plane of a scale lowers each block's squared error, [B]; `errors` moves on."""
    known = dequantiser(state.index[scale].float(), plane, scale)
    error = (values[scale] - known).square().sum((1, 2, 3))
    gain = errors[scale] - error
    errors[scale] = error
    return gain


def _complexity(values: list[Tensor]) -> NDArray[np.float64]:
    """LCM of RMPGC Eq. 9, one value a block: its coefficients' variance, the lowest band apart."""
    flat = torch.cat([values[0][:, 1:].flatten(1), *(v.flatten(1) for v in values[1:])], 1)
    complexity: NDArray[np.float64] = flat.var(1).double().cpu().numpy()
    return complexity

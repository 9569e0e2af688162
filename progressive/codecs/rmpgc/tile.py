"""The state of one tile: which indices are known, and what the networks make of them.

Legend: B blocks of the tile, row by row; C coefficients a position; s x s positions of a scale in a block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.coding import BasePasses, PlanePasses
from progressive.codecs.rmpgc.layout import (
    BLOCK_SIDES,
    LEVELS,
    PARTS,
    SCALES,
    STAGES,
    plane_and_part,
)
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.entropy.coders import SymbolCoder


@dataclass(frozen=True)
class LevelResult:
    """What a level made known of some blocks: indices of the part's scales [B, C, s, s], and what the networks keep."""

    blocks: list[int]
    level: int
    index: dict[int, Tensor]
    carried: Tensor


class TileState:
    """What is known of a tile; moves on by stages of the base, then block by block by levels.

    Nothing changes until `keep`: a damaged segment leaves no trace.

    Args:
        rows, columns: of blocks.
        networks: exact ones; the state lives on their device.
    """

    def __init__(self, rows: int, columns: int, networks: ProbabilityNetworks) -> None:
        self.rows, self.columns = rows, columns
        self._networks = networks
        self._device = next(networks.parameters()).device
        self._chain: list[Tensor] = []
        self._contexts: list[Tensor] = []
        self._carried: dict[int, Tensor] = {}
        self.index: list[Tensor] = []
        """Indices of each scale, int16 [B, C, s, s]; of the scales that the base has reached."""
        self.stages = 0
        self.levels = np.zeros(rows * columns, np.uint8)

    @property
    def base_complete(self) -> bool:
        return self.stages == len(STAGES)

    def code_stage(self, coder: SymbolCoder, truth: Sequence[Tensor] | None = None) -> list[tuple[Tensor, Tensor]]:
        """Codes the next stage of the base.

        Args:
            coder: of the stage's segment.
            truth: indices of all scales, [1, C, h, w] each, for an encoder.
        Returns:
            for `keep_stage`: of each scale, indices and features.
        """
        results: list[tuple[Tensor, Tensor]] = []
        before = self._chain[-1] if self._chain else None
        for scale in STAGES[self.stages]:
            like = torch.zeros(1, 1, self.rows, self.columns, device=self._device)
            features = self._networks.chain_features(scale, before, like)
            passes = BasePasses(coder, scale, None if truth is None else truth[scale])
            index, before = self._networks.code_base(scale, features, passes)
            results.append((index, before))
        return results

    def keep_stage(self, results: list[tuple[Tensor, Tensor]]) -> None:
        for index, features in results:
            self._chain.append(features)
            self.index.append(to_blocks(index, BLOCK_SIDES[len(self.index)]).to(torch.int16))
        self.stages += 1
        if self.base_complete:
            contexts = self._networks.contexts(self._chain)
            self._contexts = [to_blocks(c, side).to(torch.uint8) for c, side in zip(contexts, BLOCK_SIDES, strict=True)]
            self._chain = []

    def code_level(
        self, coder: SymbolCoder, level: int, blocks: list[int], truth: Sequence[Tensor] | None = None
    ) -> LevelResult:
        """Codes a level of some blocks, all of which are one level below.

        Args:
            truth: symbols of all scales, [B of the tile, C, s, s] each, for an encoder.
        """
        plane, part = plane_and_part(level)
        chosen = torch.tensor(blocks, device=self._device)
        carried = torch.stack([self._carried[b] for b in blocks]).float() if part else None
        index: dict[int, Tensor] = {}
        for scale in PARTS[part]:
            context = _ready(self._contexts[scale][chosen])
            parents = _ready(self.index[scale][chosen])
            passes = PlanePasses(coder, plane, scale, parents, None if truth is None else truth[scale][chosen])
            symbols, carried = self._networks.code_plane(plane, scale, context, parents, carried, passes)
            index[scale] = (3 * parents + symbols).to(torch.int16)
        assert carried is not None
        return LevelResult(blocks, level, index, carried)

    def keep_level(self, result: LevelResult) -> None:
        chosen = torch.tensor(result.blocks, device=self._device)
        for scale, index in result.index.items():
            self.index[scale][chosen] = index
        last = plane_and_part(result.level)[1] == len(PARTS) - 1
        for block, carried in zip(result.blocks, result.carried.to(torch.uint8), strict=True):
            if last:
                self._carried.pop(block, None)
            else:
                self._carried[block] = carried.clone()
        self.levels[result.blocks] = result.level


def code_everything(networks: ProbabilityNetworks, latent: list[Tensor], coder: SymbolCoder) -> None:
    """Passes all stages and levels of a latent (five scales of one photo) through one coder."""
    rows, columns = latent[0].shape[2:]
    tile = TileState(rows, columns, networks)
    truth = [quantiser.base_index(y) for y in latent]
    for _ in STAGES:
        tile.keep_stage(tile.code_stage(coder, truth))
    blocks = list(range(rows * columns))
    for level in range(1, LEVELS + 1):
        tile.keep_level(tile.code_level(coder, level, blocks, symbols_of_level(latent, tile, level)))


def symbols_of_level(latent: list[Tensor], tile: TileState, level: int) -> list[Tensor]:
    """The true symbols of the level's plane in the scales of its part; other scales are left empty."""
    plane, part = plane_and_part(level)
    return [
        quantiser.refine(to_blocks(latent[scale], BLOCK_SIDES[scale]), tile.index[scale].float(), plane)
        if scale in PARTS[part]
        else torch.empty(0)
        for scale in range(SCALES)
    ]


def to_blocks(values: Tensor, side: int) -> Tensor:
    """[1, C, rows * side, columns * side] -> [rows * columns, C, side, side]."""
    _, channels, height, width = values.shape
    grid = values.reshape(channels, height // side, side, width // side, side)
    return grid.permute(1, 3, 0, 2, 4).reshape(-1, channels, side, side)


def from_blocks(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `to_blocks`."""
    _, channels, side, _ = blocks.shape
    grid = blocks.reshape(rows, columns, channels, side, side).permute(2, 0, 3, 1, 4)
    return grid.reshape(1, channels, rows * side, columns * side)



def _ready(values: Tensor) -> Tensor:
    return values.float().contiguous(memory_format=torch.channels_last)

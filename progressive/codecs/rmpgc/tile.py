"""The state of one tile: which indices are known, and what the networks make of them.

Legend: B blocks of the tile, row by row; C coefficients a position; s x s positions of a scale in a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.choices import Choices, Tables, base_choices, plane_choices
from progressive.codecs.rmpgc.coding import BasePasses, checkerboard, code_plane_pass, rows_everywhere, table_of
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, LUMA, PLANES, SCALES, STAGES, TIERS, plane_and_tier
from progressive.codecs.rmpgc.probability import ProbabilityNetworks
from progressive.codecs.rmpgc.quantiser import child_of
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.entropy.coders import SymbolCoder

TierTables = Mapping[int, Tensor]
"""Plane -> the tier of each of its table rows, uint8 [PLANE_ROWS]."""


ChoicesOfScale = Callable[[int], Choices]


@dataclass(frozen=True)
class LevelResult:
    """What a level made known of some blocks: of each scale, symbols and tiers of the plane [B, C, s, s]."""

    blocks: list[int]
    level: int
    symbols: list[Tensor]
    tiers: list[Tensor]


class TileState:
    """What is known of a tile; moves on by stages of the base, then block by block by levels.

    Nothing changes until `keep_...`: a damaged segment leaves no trace.

    Args:
        rows, columns: of blocks.
        networks: exact ones; the state lives on their device.
        tiers: which symbols of a plane come first.
    """

    def __init__(self, rows: int, columns: int, networks: ProbabilityNetworks, tiers: TierTables) -> None:
        self.rows, self.columns = rows, columns
        self._networks, self._tier_tables = networks, tiers
        self._device = next(networks.parameters()).device
        self._chain: list[Tensor] = []
        self._contexts: list[Tensor] = []
        self.index: list[Tensor] = []
        """Indices of each scale's last whole plane, int16 [B, C, s, s]; of the scales that the base has reached."""
        self.symbols: list[Tensor] = []
        """What is known of the plane after it, int8, zero elsewhere."""
        self.tiers: list[Tensor] = []
        """The tier of each of that plane's symbols, uint8; of no meaning in blocks that have not begun it."""
        self.stages = 0
        self.levels = np.zeros(rows * columns, np.uint8)

    @property
    def base_complete(self) -> bool:
        return self.stages == len(STAGES)

    def code_stage(self, coder: SymbolCoder, choices: ChoicesOfScale | None = None) -> list[tuple[Tensor, Tensor]]:
        """Codes the next stage of the base.

        Args:
            coder: of the stage's segment.
            choices: for an encoder, scale -> what to write there.
        Returns:
            for `keep_stage`: of each scale, indices and features.
        """
        results: list[tuple[Tensor, Tensor]] = []
        before = self._chain[-1] if self._chain else None
        for scale in STAGES[self.stages]:
            like = torch.zeros(1, 1, self.rows, self.columns, device=self._device)
            features = self._networks.chain_features(scale, before, like)
            passes = BasePasses(coder, scale, None if choices is None else choices(scale))
            index, before = self._networks.code_base(scale, features, passes)
            results.append((index, before))
        return results

    def keep_stage(self, results: list[tuple[Tensor, Tensor]]) -> None:
        for index, features in results:
            self._chain.append(features)
            blocks = to_blocks(index, BLOCK_SIDES[len(self.index)])
            self.index.append(blocks.to(torch.int16))
            self.symbols.append(torch.zeros_like(blocks, dtype=torch.int8))
            self.tiers.append(torch.zeros_like(blocks, dtype=torch.uint8))
        self.stages += 1
        if self.base_complete:
            contexts = self._networks.contexts(self._chain)
            self._contexts = [to_blocks(c, side).to(torch.uint8) for c, side in zip(contexts, BLOCK_SIDES, strict=True)]
            self._chain = []

    def code_level(
        self, coder: SymbolCoder, level: int, blocks: list[int], choices: ChoicesOfScale | None = None
    ) -> LevelResult:
        """Codes a level of some blocks, all of which are one level below.

        Args:
            choices: for an encoder, scale -> what to write there in all blocks of the tile.
        """
        plane, tier = plane_and_tier(level)
        chosen = torch.tensor(blocks, device=self._device)
        result = LevelResult(blocks, level, [], [])
        carried: Tensor | None = None
        for scale in range(SCALES):
            context, parents = _ready(self._contexts[scale][chosen]), _ready(self.index[scale][chosen])
            features = self._networks.plane_features(plane, scale, context, parents, carried)
            work = _ScaleOfLevel(
                self._networks, coder, plane, tier, scale, features, parents,
                None if choices is None else choices(scale).of_blocks(chosen),
            )  # fmt: skip
            if tier == 0:
                symbols, tiers = work.first_tier(self._tier_tables[plane])
            else:
                tiers = self.tiers[scale][chosen]
                symbols = work.second_tier(_ready(self.symbols[scale][chosen]), tiers)
            carried = self._networks.carry(plane, scale, features, symbols)
            result.symbols.append(symbols.to(torch.int8))
            result.tiers.append(tiers)
        return result

    def keep_level(self, result: LevelResult) -> None:
        chosen = torch.tensor(result.blocks, device=self._device)
        plane, tier = plane_and_tier(result.level)
        for scale in range(SCALES):
            if tier == TIERS - 1:
                self.index[scale][chosen] = child_of(self.index[scale][chosen], result.symbols[scale], plane)
                self.symbols[scale][chosen] = 0
            else:
                self.symbols[scale][chosen] = result.symbols[scale]
                self.tiers[scale][chosen] = result.tiers[scale]
        self.levels[result.blocks] = result.level


@dataclass
class _ScaleOfLevel:
    """One scale of one level of some blocks: which networks see what, and in which order symbols are coded.

    Each tier has three passes: luma on one colour of the checkerboard, on the other, then the opponent colours. A pass
    sees the luma symbols around it that are known, never those of its own colour.
    """

    networks: ProbabilityNetworks
    coder: SymbolCoder
    plane: int
    tier: int
    scale: int
    features: Tensor
    parents: Tensor
    choices: Choices | None

    def first_tier(self, tier_of_row: Tensor) -> tuple[Tensor, Tensor]:
        """Codes the symbols that come first; returns them and the tier of each symbol."""
        luma = LUMA[self.scale]
        first = self._parameters(0, None)
        blank = torch.zeros_like(self.parents[:, :luma])
        rows = torch.cat(
            [
                rows_everywhere(first, self.parents[:, :luma]),
                rows_everywhere(self._parameters(2, blank), self.parents[:, luma:]),
            ],
            1,
        )
        tiers = tier_of_row.to(rows.device)[rows]
        even = self._code(0, first, tiers == 0)
        odd = self._code(1, self._parameters(1, even), tiers == 0)
        chroma = self._code(2, self._parameters(2, even + odd), tiers == 0)
        return torch.cat([even + odd, chroma], 1), tiers

    def second_tier(self, known: Tensor, tiers: Tensor) -> Tensor:
        """Codes the other symbols; returns all symbols of the plane."""
        luma = LUMA[self.scale]
        seen = known[:, :luma]
        odd_places = checkerboard(seen[:, None], 1)
        even = self._code(0, self._parameters(1, seen * odd_places), tiers == 1)
        seen = seen + even
        odd = self._code(1, self._parameters(1, seen * ~odd_places), tiers == 1)
        seen = seen + odd
        chroma = self._code(2, self._parameters(2, seen), tiers == 1)
        return torch.cat([seen, known[:, luma:] + chroma], 1)

    def _parameters(self, network: int, luma: Tensor | None) -> Tensor:
        return self.networks.pass_parameters(self.plane, self.scale, network, self.features, luma)

    def _code(self, number: int, parameters: Tensor, mask: Tensor) -> Tensor:
        luma = LUMA[self.scale]
        part = slice(luma) if number < 2 else slice(luma, None)
        where = mask[:, part] & checkerboard(parameters, number) if number < 2 else mask[:, part]
        choices = None if self.choices is None else self.choices.part(part)
        table = table_of(self.plane, self.tier)
        return code_plane_pass(self.coder, table, parameters, self.parents[:, part], where, choices)


@dataclass(frozen=True)
class Target:
    """The coefficients that an encoder wants to convey of a tile, and how it chooses symbols for them.

    Fields:
        latent: five scales of the tile, [1, C, h, w].
        blocks: the same by blocks, [B, C, s, s].
        dequantiser: how symbols will be read.
        tables: what bits are counted by; None: the true symbols are written, whatever they cost.
    """

    latent: list[Tensor]
    blocks: list[Tensor]
    dequantiser: Dequantiser
    tables: Tables | None

    @classmethod
    def of(cls, latent: list[Tensor], dequantiser: Dequantiser, tables: Tables | None) -> Target:
        blocks = [to_blocks(y, side) for y, side in zip(latent, BLOCK_SIDES, strict=True)]
        return cls(latent, blocks, dequantiser, tables)

    def base(self, scale: int) -> Choices:
        return base_choices(self.latent[scale], scale, self.dequantiser, self.tables)

    def level(self, level: int, state: TileState) -> ChoicesOfScale:
        """For a level of the plane after the one that the state has; both levels of a plane choose from the same."""
        return partial(_at_level, self._plane(plane_and_tier(level)[0], state), level)

    def levels(self, state: TileState) -> Iterator[tuple[int, ChoicesOfScale]]:
        """All levels in turn, for a state that is moved on by each before the next is asked for."""
        for plane in range(1, PLANES + 1):
            choices = self._plane(plane, state)
            for tier in range(TIERS):
                level = 1 + TIERS * (plane - 1) + tier
                yield level, partial(_at_level, choices, level)

    def _plane(self, plane: int, state: TileState) -> list[Choices]:
        return [
            plane_choices(self.blocks[scale], state.index[scale].float(), plane, scale, self.dequantiser, self.tables)
            for scale in range(SCALES)
        ]


def _at_level(choices: list[Choices], level: int, scale: int) -> Choices:
    return choices[scale].at_level(level)


def code_everything(state: TileState, target: Target, coder: SymbolCoder) -> None:
    """Passes all stages and levels of a tile through one coder."""
    for _ in STAGES:
        state.keep_stage(state.code_stage(coder, target.base))
    blocks = list(range(state.rows * state.columns))
    for level, choices in target.levels(state):
        state.keep_level(state.code_level(coder, level, blocks, choices))


def to_blocks(values: Tensor, side: int) -> Tensor:
    """[1, C, rows * side, columns * side] -> [rows * columns, C, side, side]."""
    _, channels, height, width = values.shape
    grid = values.reshape(channels, height // side, side, width // side, side)
    return grid.permute(1, 3, 0, 2, 4).reshape(-1, channels, side, side)


def _ready(values: Tensor) -> Tensor:
    return values.float().contiguous(memory_format=torch.channels_last)

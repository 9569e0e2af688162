"""The state of one tile: which indices are known, and what the networks make of them.

Legend: B blocks of the tile, row by row; C coefficients a position; s x s positions of a scale in a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.choices import BASE_PRICE, LEVEL_PRICES, Choices
from progressive.codecs.rmpgc.backbones.multiscale.coding import NEVER, BasePasses, PlanePasses
from progressive.codecs.rmpgc.backbones.multiscale.points import values_of
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import child_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import (
    BLOCK_SIDES,
    CHANNELS,
    LEVELS,
    SCALES,
    TIERS,
    plane_and_tier,
)
from progressive.codecs.rmpgc.blocks import put, taken, to_blocks, together
from progressive.exact.coders import RangeSymbolDecoder, SymbolCoder

if TYPE_CHECKING:
    from progressive.codecs.rmpgc.backbones.multiscale.model import Coding


@dataclass(frozen=True)
class LevelResult:
    """What a level made known of some blocks: of each scale, symbols, tiers and points of the plane [B, C, s, s]."""

    blocks: list[int]
    level: int
    symbols: list[Tensor]
    tiers: list[Tensor]
    points: list[Tensor]

    def only(self, blocks: list[int]) -> LevelResult:
        """The result of some of the blocks."""
        if len(blocks) == len(self.blocks):
            return self
        places = torch.tensor([self.blocks.index(block) for block in blocks], dtype=torch.long)
        parts = ([t[places.to(t.device)] for t in tensors] for tensors in (self.symbols, self.tiers, self.points))
        return LevelResult(blocks, self.level, *parts)


@dataclass(frozen=True)
class StageResult:
    """What one scale of the base made known: indices and points, [B, C, s, s], and the networks' features."""

    index: Tensor
    points: Tensor
    features: Tensor


class TileState:
    """What is known of a tile; moves on by scales of the base, then block by block by levels.

    Nothing changes until `keep_...`: a damaged segment leaves no trace.

    Args:
        rows, columns: of blocks.
        coding: the model's exact networks and tables; the state lives on their device.
    """

    def __init__(self, rows: int, columns: int, coding: Coding) -> None:
        self.rows, self.columns = rows, columns
        self.coding = coding
        self._device = coding.device
        self._before: Tensor | None = None
        self.contexts: list[Tensor] = []
        """Features of the base at each scale, uint8 [B, BASE_WIDTH, s, s]; of the scales that the base has reached."""
        self.index: list[Tensor] = []
        """Indices of each scale's last whole plane, int16 [B, C, s, s]; of the scales that the base has reached."""
        self.symbols: list[Tensor] = []
        """What is known of the plane after it, int8, zero elsewhere."""
        self.tiers: list[Tensor] = []
        """The tier of each of that plane's symbols, uint8; of no meaning in blocks that have not begun it."""
        self.points: list[Tensor] = []
        """Where coefficients are expected in the bins that are known of them, int8 (`points`)."""
        self.levels = np.zeros(rows * columns, np.uint8)
        self.by_activity: tuple[int, ...] = ()
        """The tile's blocks, those first of which the base has most; when it is whole."""

    @property
    def stages(self) -> int:
        """How many scales of the base are known."""
        return len(self.index)

    @property
    def base_complete(self) -> bool:
        return self.stages == SCALES

    def decoder_of(self, code: bytes) -> RangeSymbolDecoder:
        """What reads the symbols of a range code."""
        return RangeSymbolDecoder(self.coding.tables, code)

    def code_stages(self, coder: SymbolCoder, count: int, choices: list[Choices] | None = None) -> list[StageResult]:
        """Codes the next scales of the base.

        Args:
            coder: of their segment.
            count: how many.
            choices: for an encoder, what to write, of all scales of the tile.
        """
        results: list[StageResult] = []
        before = self._before
        for scale in range(self.stages, self.stages + count):
            side = BLOCK_SIDES[scale]
            shape = (1, CHANNELS[scale], self.rows * side, self.columns * side)
            points = torch.zeros(shape, dtype=torch.int8, device=self._device)
            index = torch.zeros(shape, dtype=torch.int16, device=self._device)
            wanted = None if choices is None else choices[scale]
            passes = BasePasses(coder, scale, self.coding.tables, self.coding.points, index, points, wanted)
            like = torch.zeros(1, 1, self.rows, self.columns, device=self._device)
            before = self.coding.networks.code_base(scale, before, like, passes)
            results.append(StageResult(to_blocks(index, side), to_blocks(points, side), before))
        return results

    def keep_stages(self, results: list[StageResult]) -> None:
        for result in results:
            self.contexts.append(to_blocks(result.features, BLOCK_SIDES[self.stages]).to(torch.uint8))
            self._before = result.features
            self.index.append(result.index)
            self.symbols.append(torch.zeros_like(result.index, dtype=torch.int8))
            self.tiers.append(torch.zeros_like(result.index, dtype=torch.uint8))
            self.points.append(result.points)
        if self.base_complete:
            self._before = None
            self.by_activity = self._sorted_by_activity()

    def code_level(
        self, coder: SymbolCoder, level: int, blocks: list[int], choices: list[Choices] | None = None
    ) -> LevelResult:
        """Codes a level of some blocks, all of which are one level below.

        Args:
            choices: for an encoder, what to write in these blocks, of all scales.
        """
        return code_level([(self, blocks)], coder, level, choices)[0]

    def keep_level(self, result: LevelResult) -> None:
        if not result.blocks:
            return
        chosen = torch.tensor(result.blocks, device=self._device)
        plane, tier = plane_and_tier(result.level)
        for scale in range(SCALES):
            symbols = result.symbols[scale]
            if tier == TIERS - 1:
                put(child_of(taken(self.index[scale], chosen), symbols, plane), chosen, self.index[scale])
                symbols = torch.zeros_like(symbols)
            put(symbols, chosen, self.symbols[scale])
            put(result.tiers[scale], chosen, self.tiers[scale])
            put(result.points[scale], chosen, self.points[scale])
        self.levels[result.blocks] = result.level

    def _sorted_by_activity(self) -> tuple[int, ...]:
        sizes = torch.stack([n.abs().sum((1, 2, 3), dtype=torch.int64) for n in self.index[1:]]).sum(0)
        return tuple(np.argsort(-sizes.cpu().numpy(), kind="stable").tolist())

    def values(self, blocks: Tensor | slice, level: int, scale: int) -> Tensor:
        """Expected coefficients of some blocks, all at one level, [B, C, s, s]."""
        index, points = self.index[scale][blocks], self.points[scale][blocks]
        plane, begun = divmod(level, TIERS)
        if not begun:
            return values_of(index, points, plane)
        symbols, tiers = self.symbols[scale][blocks], self.tiers[scale][blocks]
        finer = values_of(child_of(index, symbols, plane + 1), points, plane + 1)
        return torch.where((tiers < begun) | (tiers == NEVER), finer, values_of(index, points, plane))


@dataclass(frozen=True)
class Target:
    """The coefficients that an encoder wants to convey of a tile, and how it chooses symbols for them.

    Fields:
        latent: all scales of the tile, [1, C, h, w].
        choose: what decides beside them: any values, the tables that bits are counted by or none.
        blocks: the latent by blocks, [B, C, s, s].
    """

    latent: list[Tensor]
    choose: Choices
    blocks: list[Tensor] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "blocks", [to_blocks(y, s) for y, s in zip(self.latent, BLOCK_SIDES, strict=True)])

    def base(self) -> list[Choices]:
        return [replace(self.choose, values=y, price=BASE_PRICE) for y in self.latent]

    def level(self, level: int, blocks: list[int]) -> list[Choices]:
        chosen = torch.tensor(blocks, device=self.latent[0].device)
        return [replace(self.choose, values=y[chosen], price=LEVEL_PRICES[level - 1]) for y in self.blocks]


def code_level(
    parts: Sequence[tuple[TileState, list[int]]],
    coder: SymbolCoder,
    level: int,
    choices: list[Choices] | None = None,
) -> list[LevelResult]:
    """Codes a level of blocks of some tiles of one model together, all of which are one level below.

    Args:
        parts: tiles, and which blocks of each; the coder and the choices count them one after the other.
        choices: for an encoder, what to write in these blocks, of all scales.
    """
    states, sizes = [state for state, _ in parts], [len(blocks) for _, blocks in parts]
    coding, count = states[0].coding, sum(sizes)
    plane, tier = plane_and_tier(level)
    # Kernels are made for each number of items, so there should be few: the last block stands in for those missing.
    chosen = [torch.tensor(blocks, device=coding.device) for _, blocks in parts]
    chosen[-1] = torch.cat([chosen[-1], chosen[-1][-1:].expand(padded_count(count) - count)])

    def known(what: str) -> list[Tensor]:
        """Of all scales."""
        each = [getattr(state, what) for state in states]
        found = [[taken(t, own) for t in scales] for scales, own in zip(each, chosen, strict=True)]
        return [together(scale) for scale in zip(*found, strict=True)]

    contexts, parents = known("contexts"), known("index")
    symbols, tiers, points = known("symbols"), known("tiers"), known("points")
    tier_of_row = coding.tier_of_row[plane]
    passes = PlanePasses(
        coder, count, plane, tier, coding.points, tier_of_row, parents, symbols, tiers, points, choices
    )  # fmt: skip
    coding.networks.code_level(level, contexts, parents, passes)
    made = [[torch.split(t[:count], sizes) for t in scales] for scales in (symbols, tiers, points)]
    return [
        LevelResult(blocks, level, *([t[number] for t in scales] for scales in made))
        for number, (_, blocks) in enumerate(parts)
    ]


def code_everything(state: TileState, target: Target, coder: SymbolCoder) -> Iterator[int]:
    """Passes all levels of a tile through one coder; yields after each, 0 after the base."""
    state.keep_stages(state.code_stages(coder, SCALES, target.base()))
    yield 0
    blocks = list(range(state.rows * state.columns))
    for level in range(1, LEVELS + 1):
        state.keep_level(state.code_level(coder, level, blocks, target.level(level, blocks)))
        yield level


def padded_count(blocks: int) -> int:
    """How many blocks are computed for so many: a power of two, or a multiple of 16 beyond."""
    return 1 << (blocks - 1).bit_length() if blocks <= 16 else -(-blocks // 16) * 16

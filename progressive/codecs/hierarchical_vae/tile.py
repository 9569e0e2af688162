"""The state of one tile: which latents of its blocks are known, and what the prior makes of them.

Legend: B blocks of the tile, row by row; C coefficients, s x s positions of a scale in a block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.hierarchical_vae.choices import Choices
from progressive.codecs.hierarchical_vae.coding import Filling, Passes, values_of
from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, CHANNELS, LATENTS, ROOT
from progressive.codecs.hierarchical_vae.prior import PassCoder, Prior
from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.codecs.hierarchical_vae.tables import Tables
from progressive.exact.coders import RangeSymbolDecoder, SymbolCoder
from progressive.segments.tiles import BLOCK, Window


@dataclass(frozen=True)
class Coding:
    """What decides the latents. Fields: the exact prior, its tables."""

    prior: Prior
    tables: Tables

    @property
    def device(self) -> torch.device:
        return next(self.prior.parameters()).device


@dataclass(frozen=True)
class Found:
    """What coding a latent of some blocks made known.

    Fields:
        latent: its number.
        blocks: of the tile.
        index, points: of its scales, int16 and int8 [B, C, s, s] with all channels, of which the latent has some.
        context: what the next latent needs, [B, W, s, s].
    """

    latent: int
    blocks: list[int]
    index: list[Tensor]
    points: list[Tensor]
    context: Tensor


class TileState:
    """What is known of a tile; its blocks move on latent by latent.

    Nothing changes until `keep`: a damaged segment leaves no trace.

    Args:
        window: its blocks in the photo.
        gammas: of the photo.
        coding: the state lives on its device.

    Fields:
        index, points: of every scale, int16 and int8 [B, C, s, s]: what is known, the filling of what comes next, or
            zero.
        levels: how many latents of each block are known, uint8 [B].
        order: the blocks, those first that are likely to have most; once the first latent is known.
    """

    def __init__(self, window: Window, gammas: Gammas, coding: Coding) -> None:
        self.rows, self.columns = window.height, window.width
        self._coding = coding
        count, device = window.blocks, coding.device
        sides = list(zip(CHANNELS, BLOCK_SIDES, strict=True))
        self.index = [torch.zeros(count, c, s, s, dtype=torch.int16, device=device) for c, s in sides]
        self.points = [torch.zeros(count, c, s, s, dtype=torch.int8, device=device) for c, s in sides]
        self._gammas = gammas.cut(*window.slices(BLOCK // CELL)).to(device).scales
        self._block_gammas = [_to_blocks(g[:, None], window.height)[:, 0] for g in self._gammas]
        self._contexts: list[Tensor | None] = [None] * len(LATENTS)
        self._filled = np.zeros(count, np.uint8)
        self.levels = np.zeros(count, np.uint8)
        self.order: tuple[int, ...] = ()

    @property
    def blocks(self) -> int:
        return len(self.levels)

    def decoder_of(self, code: bytes) -> RangeSymbolDecoder:
        """What reads the symbols of a range code."""
        return RangeSymbolDecoder(self._coding.tables.frequencies, code)

    def code(self, coder: SymbolCoder, latent: int, blocks: list[int], choices: Choices | None = None) -> Found:
        """Codes a latent of some blocks, all of which have the ones before; the first latent is of all.

        Args:
            choices: for an encoder, what to write: of the first latent the tile's coefficients as one item,
                [1, C, h, w]; of others those of the blocks.
        """

        def passes(work: _Work) -> PassCoder:
            return Passes(coder, work.count, self._coding.tables, work.gammas, work.index, work.points, choices)

        return self._walked(latent, blocks, passes)

    def keep(self, found: Found) -> None:
        """Takes over what was found."""
        self._put(found)
        if found.latent + 1 < len(LATENTS):
            context = found.context.to(torch.uint8)
            self._context(found.latent + 1, context)[self._chosen(found.blocks)] = context
        self.levels[found.blocks] = found.latent + 1
        if found.latent == ROOT:
            self.order = self._by_activity()

    def fill(self) -> None:
        """Gives every block the prior's expectation of its next latent."""
        behind = (self.levels > 0) & (self.levels < len(LATENTS)) & (self._filled != self.levels)

        def passes(work: _Work) -> PassCoder:
            return Filling(self._coding.tables, work.gammas, work.index, work.points)

        for latent in np.unique(self.levels[behind]).tolist():
            blocks = np.flatnonzero(behind & (self.levels == latent)).tolist()
            self._put(self._walked(latent, blocks, passes))
            self._filled[blocks] = latent

    def values(self, blocks: NDArray[np.int64], scale: int) -> Tensor:
        """Expected coefficients of some blocks, in steps, [B, C, s, s]."""
        chosen = torch.from_numpy(blocks)
        return values_of(self.index[scale][chosen], self.points[scale][chosen])

    def _walked(self, latent: int, blocks: list[int], passes: Callable[[_Work], PassCoder]) -> Found:
        work, kind = self._work(latent, blocks), LATENTS[latent]
        context = self._coding.prior.code(kind, work.carried, work.gammas, passes(work))
        index, points = ([tensors[scale] for scale in kind.scales] for tensors in (work.index, work.points))
        if latent == ROOT:
            context, *index = (_to_blocks(t, self.rows) for t in (context, *index))
            points = [_to_blocks(t, self.rows) for t in points]
        count = len(blocks)
        return Found(latent, blocks, [t[:count] for t in index], [t[:count] for t in points], context[:count])

    def _work(self, latent: int, blocks: list[int]) -> _Work:
        """The arrays to code a latent of some blocks in."""
        device, sides = self._coding.device, list(zip(CHANNELS, BLOCK_SIDES, strict=True))
        if latent == ROOT:
            count, carried, gammas = 1, None, self._gammas
            shapes = [(1, channels, self.rows * side, self.columns * side) for channels, side in sides]
        else:
            # Kernels are made for each number of items, so there should be few: the last block fills up.
            chosen = self._chosen(blocks + blocks[-1:] * (padded_count(len(blocks)) - len(blocks)))
            context = self._contexts[latent]
            assert context is not None
            count, carried = len(blocks), self._coding.prior.ready(context[chosen])
            gammas = [g[chosen] for g in self._block_gammas]
            shapes = [(len(chosen), channels, side, side) for channels, side in sides]
        used = [shape if scale in LATENTS[latent].scales else (0,) for scale, shape in enumerate(shapes)]
        index = [torch.zeros(shape, dtype=torch.int16, device=device) for shape in used]
        points = [torch.zeros(shape, dtype=torch.int8, device=device) for shape in used]
        return _Work(count, carried, gammas, index, points)

    def _put(self, found: Found) -> None:
        chosen, kind = self._chosen(found.blocks), LATENTS[found.latent]
        for scale, index, points in zip(kind.scales, found.index, found.points, strict=True):
            own = kind.channels(scale)
            self.index[scale][chosen, own] = index[:, own]
            self.points[scale][chosen, own] = points[:, own]

    def _chosen(self, blocks: list[int]) -> Tensor:
        return torch.tensor(blocks, device=self._coding.device)

    def _context(self, latent: int, like: Tensor) -> Tensor:
        found = self._contexts[latent]
        if found is None:
            shape = (self.blocks, *like.shape[1:])
            found = self._contexts[latent] = torch.zeros(shape, dtype=torch.uint8, device=like.device)
        return found

    def _by_activity(self) -> tuple[int, ...]:
        sizes = self.index[1].abs().sum((1, 2, 3), dtype=torch.int64).cpu().numpy()
        return tuple(np.argsort(-sizes, kind="stable").tolist())


@dataclass(frozen=True)
class _Work:
    """Arrays that a latent is coded in. Fields: how many items are real; others as in `Prior.code` and `Passes`."""

    count: int
    carried: Tensor | None
    gammas: Sequence[Tensor]
    index: list[Tensor]
    points: list[Tensor]


def padded_count(blocks: int) -> int:
    """How many blocks are computed for so many: a power of two, or a multiple of 16 beyond."""
    return 1 << (blocks - 1).bit_length() if blocks <= 16 else -(-blocks // 16) * 16


def to_blocks(values: Tensor, side: int) -> Tensor:
    """[N, C, rows * side, columns * side] -> [N * rows * columns, C, side, side], channels_last."""
    grid = torch.unflatten(torch.unflatten(values, 3, (-1, side)), 2, (-1, side))
    blocks = grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
    return blocks.contiguous(memory_format=torch.channels_last)


def _to_blocks(values: Tensor, rows: int) -> Tensor:
    return to_blocks(values, values.shape[2] // rows)


def code_everything(state: TileState, choices: Choices, coder: SymbolCoder) -> None:
    """Passes all latents of a tile through one coder. `choices` has the tile's coefficients as one item."""
    for latent, own in each_latent(state, choices):
        state.keep(state.code(coder, latent, list(range(state.blocks)), own))


def each_latent(state: TileState, choices: Choices) -> Iterator[tuple[int, Choices]]:
    """The latents in their order, each with what to write of it."""
    yield ROOT, choices
    by_block = replace(choices, values=[_to_blocks(v, state.rows) for v in choices.values])
    for latent in range(ROOT + 1, len(LATENTS)):
        yield latent, by_block

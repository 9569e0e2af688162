"""The state of one tile: its label map, and which groups of its blocks are known.

Legend: B blocks of the tile, row by row; C coefficients a cell, 4 x 4 cells a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.label_guided.choices import Choices
from progressive.codecs.label_guided.classes import BLANK
from progressive.codecs.label_guided.coding import Passes, code_hyper, values_of
from progressive.codecs.label_guided.groups import CHANNELS, GROUPS, ROOT
from progressive.codecs.label_guided.label_prior import LabelPrior, code_labels
from progressive.codecs.label_guided.layout import SIDE, Layout
from progressive.codecs.label_guided.prior import Prior
from progressive.codecs.label_guided.tables import Tables
from progressive.exact.coders import RangeSymbolDecoder, SymbolCoder
from progressive.segments.tiles import Window


@dataclass(frozen=True)
class Coding:
    """What decides the latents. Fields: the exact priors of label maps and of the latent, their tables."""

    label_prior: LabelPrior
    prior: Prior
    tables: Tables

    @property
    def device(self) -> torch.device:
        return next(self.prior.parameters()).device


@dataclass(frozen=True)
class Found:
    """What coding a group of some blocks made known.

    Fields:
        group: its number.
        blocks: of the tile.
        index, points: int16 and int8 [B, C, 4, 4] with all channels, of which the group has some.
        context: what the next group needs, [B, W, 4, 4].
        labels: of the tile's cells, with the first group.
    """

    group: int
    blocks: list[int]
    index: Tensor
    points: Tensor
    context: Tensor
    labels: Tensor | None = None


class TileState:
    """What is known of a tile; its blocks move on group by group.

    Nothing changes until `keep`: a damaged segment leaves no trace.

    Args:
        layout: of the photo.
        window: the tile's blocks in it.
        level: of the photo.
        blank: whether the stream has no label maps.
        coding: the state lives on its device.

    Fields:
        labels: classes or BLANK, int64 [4 R, 4 K]; cells beyond the photo are as those next to them.
        index, points: int16 and int8 [B, C, 4, 4]: what is known, or zero.
        levels: how many groups of each block are known, uint8 [B].
        order: the blocks, those first that are likely to have most; once the first group is known.
    """

    def __init__(self, layout: Layout, window: Window, level: int, blank: bool, coding: Coding) -> None:
        self.rows, self.columns = window.height, window.width
        self.cells = layout.cells(window)
        self._level, self._blank, self._coding = level, blank, coding
        count, device = window.blocks, coding.device
        self.labels = torch.full((window.height * SIDE, window.width * SIDE), BLANK, dtype=torch.int64, device=device)
        self.index = torch.zeros(count, CHANNELS, SIDE, SIDE, dtype=torch.int16, device=device)
        self.points = torch.zeros(count, CHANNELS, SIDE, SIDE, dtype=torch.int8, device=device)
        self._contexts: list[Tensor | None] = [None] * len(GROUPS)
        self.levels = np.zeros(count, np.uint8)
        self.order: tuple[int, ...] = ()

    @property
    def blocks(self) -> int:
        return len(self.levels)

    def decoder_of(self, code: bytes) -> RangeSymbolDecoder:
        """What reads the symbols of a range code."""
        return RangeSymbolDecoder(self._coding.tables.frequencies, code)

    def code(
        self,
        coder: SymbolCoder,
        group: int,
        blocks: list[int],
        choices: Choices | None = None,
        before: Found | None = None,
    ) -> Found:
        """Codes a group of some blocks, all of which have the ones before; the first one is of all.

        Args:
            choices: for an encoder, what to write: of the first group the tile as one item, of others the blocks.
            before: what coding the group before found of the same blocks, if it is not kept yet.
        """
        if group == ROOT:
            return self._code_first(coder, choices)
        # Kernels are made for each number of items, so there should be few: the last block fills up.
        filled = padded_count(len(blocks)) - len(blocks)
        if before is None:
            context, chosen = self._contexts[group], self._chosen(blocks + blocks[-1:] * filled)
        else:
            own = list(range(len(blocks)))
            context, chosen = before.context, self._chosen(own + own[-1:] * filled)
        assert context is not None
        index = torch.zeros(len(chosen), CHANNELS, SIDE, SIDE, dtype=torch.int16, device=chosen.device)
        points = torch.zeros_like(index, dtype=torch.int8)
        passes = Passes(coder, len(blocks), self._coding.tables, self._level, index, points, choices)
        prior = self._coding.prior
        following = prior.code_later(group, prior.ready(context[chosen]), passes)
        count = len(blocks)
        return Found(group, blocks, index[:count], points[:count], following[:count])

    def keep(self, found: Found) -> None:
        """Takes over what was found."""
        chosen, own = self._chosen(found.blocks), GROUPS[found.group]
        self.index[chosen, own] = found.index[:, own]
        self.points[chosen, own] = found.points[:, own]
        if found.labels is not None:
            self.labels = found.labels
        if found.group + 1 < len(GROUPS):
            context = found.context.to(torch.uint8)
            self._context(found.group + 1, context)[chosen] = context
        self.levels[found.blocks] = found.group + 1
        if found.group == ROOT:
            self.order = self._by_activity()

    def values(self) -> Tensor:
        """Expected coefficients, in steps, zero where nothing is known, [B, C, 4, 4]."""
        return values_of(self.index, self.points)

    def _code_first(self, coder: SymbolCoder, choices: Choices | None) -> Found:
        device = self._coding.device
        labels = self.labels
        if not self._blank:
            wanted = None if choices is None else choices.labels
            own = code_labels(self._coding.label_prior, coder, *self.cells, wanted)
            labels = continued(torch.from_numpy(own), *labels.shape).to(device)
        hyper = code_hyper(coder, self.rows, self.columns, choices).to(device)
        index = torch.zeros(1, CHANNELS, *labels.shape, dtype=torch.int16, device=device)
        points = torch.zeros_like(index, dtype=torch.int8)
        passes = Passes(coder, 1, self._coding.tables, self._level, index, points, choices)
        levels = torch.tensor([self._level], device=device)
        context = self._coding.prior.code_first(hyper, labels[None], levels, passes)
        blocks = list(range(self.blocks))
        return Found(ROOT, blocks, to_blocks(index), to_blocks(points), to_blocks(context), labels)

    def _chosen(self, blocks: list[int]) -> Tensor:
        return torch.tensor(blocks, device=self._coding.device)

    def _context(self, group: int, like: Tensor) -> Tensor:
        found = self._contexts[group]
        if found is None:
            shape = (self.blocks, *like.shape[1:])
            found = self._contexts[group] = torch.zeros(shape, dtype=torch.uint8, device=like.device)
        return found

    def _by_activity(self) -> tuple[int, ...]:
        sizes = self.index[:, GROUPS[ROOT]].abs().sum((1, 2, 3), dtype=torch.int64)
        brightness = self.index[:, 0].abs().sum((1, 2), dtype=torch.int64)
        return tuple(np.argsort(-(sizes - brightness).cpu().numpy(), kind="stable").tolist())


def continued(labels: Tensor, height: int, width: int) -> Tensor:
    """A label map [rows, columns] to whole blocks: cells beyond it are as those next to them."""
    below, right = height - labels.shape[0], width - labels.shape[1]
    return F.pad(labels[None, None].float(), (0, right, 0, below), mode="replicate")[0, 0].long()


def padded_count(blocks: int) -> int:
    """How many blocks are computed for so many: a power of two, or a multiple of 16 beyond."""
    return 1 << (blocks - 1).bit_length() if blocks <= 16 else -(-blocks // 16) * 16


def to_blocks(values: Tensor) -> Tensor:
    """[N, C, 4 R, 4 K] -> [N * R * K, C, 4, 4], channels_last."""
    grid = torch.unflatten(torch.unflatten(values, 3, (-1, SIDE)), 2, (-1, SIDE))
    blocks = grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)
    return blocks.contiguous(memory_format=torch.channels_last)


def from_blocks(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `to_blocks`: [N * rows * columns, C, 4, 4] -> [N, C, 4 rows, 4 columns]."""
    grid = torch.unflatten(blocks, 0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)


def each_group(choices: Choices) -> Iterator[tuple[int, Choices]]:
    """The groups in their order, each with what to write of it. `choices` are of the whole tile."""
    yield ROOT, choices
    by_block = replace(choices, values=to_blocks(choices.values))
    for group in range(ROOT + 1, len(GROUPS)):
        yield group, by_block


def code_everything(state: TileState, choices: Choices, coder: SymbolCoder) -> None:
    """Passes all groups of a tile through one coder."""
    for group, own in each_group(choices):
        state.keep(state.code(coder, group, list(range(state.blocks)), own))


def window_of(values: NDArray[np.int8], window: Window) -> NDArray[np.int8]:
    """A window's part of a map of the photo's cells."""
    rows, columns = window.slices(SIDE)
    return values[rows, columns]

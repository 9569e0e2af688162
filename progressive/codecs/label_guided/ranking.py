"""What to send first: blocks into segments, these into an order, by squared error removed a byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from progressive.codecs.label_guided.encoder import CodedTile
from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.layout import Layout
from progressive.codecs.label_guided.segments import Contents, prefix_bytes
from progressive.exact.records import Recorder, encoded
from progressive.exact.tables import FrequencyTable
from progressive.segments.ordering import numbered
from progressive.stream import Segment

SMALL_BITS = 8 * 120
"""A group of a tile that takes less travels with the one before: a segment of its own would cost as much."""

SLACK_BITS = 16
"""What a range code may take beyond the ideal, with room to spare."""


class TooLargeError(Exception):
    """Something does not fit a segment. Fields: group: what; excess: how many times what there is room for."""

    def __init__(self, group: int, excess: float) -> None:
        super().__init__(f"group {group} does not fit")
        self.group, self.excess = group, excess


@dataclass(eq=False)
class Draft:
    """A segment before it has an id; `needs` come before it."""

    contents: Contents
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def layer(self) -> int:
        return self.contents.groups[-1]

    @property
    def density(self) -> float:
        return self.utility / (4 + len(self.contents.code))


def drafts_of(
    number: int,
    tile: CodedTile,
    tables: Mapping[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
    *,
    whole: bool = True,
) -> list[Draft]:
    """All segments of a tile, dependencies first.

    Args:
        number: the tile's.
        tables: of the symbols.
        whole: otherwise blocks go without a group that does not fit, and all later ones.

    Raises TooLargeError if the first group, or another one of a single block, does not fit.
    """
    code = encoded(tile.records[:1], tables)
    if len(code) + prefix_bytes(layout, ROOT) > max_payload:
        raise TooLargeError(ROOT, len(code) / max_payload)
    root = Draft(Contents(number, ROOT, code), float(tile.gains[ROOT].sum()))
    drafts, holders = [root], dict.fromkeys(tile.order, root)
    for groups in stages_of(tile):
        room = max_payload - prefix_bytes(layout, groups[0])
        finer: dict[int, Draft] = {}
        for first, chosen, code in _Runs(tile, groups, tables, room, whole=whole).among(set(holders)):
            needs = list({id(holders[b]): holders[b] for b in chosen}.values())
            contents = Contents(number, groups[0], code, first, len(chosen), len(groups) - 1)
            gain = float(tile.gains[groups[0] : groups[-1] + 1, chosen].sum())
            draft = Draft(contents, max(gain, 0.0), needs)
            drafts.append(draft)
            finer |= dict.fromkeys(chosen, draft)
        holders = finer
    return drafts


def stages_of(tile: CodedTile) -> list[range]:
    """The groups after the first, those that travel together."""
    stages = [range(ROOT + 1, ROOT + 2)]
    for group in range(ROOT + 2, len(GROUPS)):
        if tile.bits[group].sum() < SMALL_BITS:
            stages[-1] = range(stages[-1].start, group + 1)
        else:
            stages.append(range(group, group + 1))
    return stages


def ordered(drafts: Sequence[Draft], layout: Layout) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: the first segments of all tiles, row by row, so that the first picture is whole; then
    always the best utility per byte whose needs are met.
    """

    def payload(draft: Draft, _: int, __: tuple[int, ...]) -> bytes:
        return draft.contents.to_bytes(layout)

    def turn(draft: Draft) -> tuple[int, float]:
        return (0, draft.contents.tile) if draft.contents.group == ROOT else (1, -draft.density)

    return numbered(drafts, turn, payload)


def estimated_size(tiles: Sequence[CodedTile], max_payload: int) -> float:
    """Bytes that the segments of a photo are likely to take."""
    total = 0.0
    for tile in tiles:
        each = tile.bits.sum(1) / 8 + 1
        total += float((each + 5 * np.ceil(each / (max_payload - 6))).sum())
    return total


@dataclass(frozen=True)
class _Runs:
    """Groups of a tile in as few segments as hold them. Fields: as of `drafts_of`; bytes that there is room for."""

    tile: CodedTile
    groups: range
    tables: Mapping[str, FrequencyTable]
    room: int
    whole: bool

    def among(self, blocks: set[int]) -> Iterator[tuple[int, list[int], bytes]]:
        """(First, blocks, range code) of runs of the tile's list, about equal, of these blocks."""
        order = self.tile.order
        first = 0
        while first < len(order):
            if order[first] not in blocks:
                first += 1
                continue
            end = first
            while end < len(order) and order[end] in blocks:
                end += 1
            taken, code = self._longest(list(order[first:end]))
            if code is not None:
                yield first, list(order[first : first + taken]), code
            first += taken

    def _longest(self, order: list[int]) -> tuple[int, bytes | None]:
        """How many of the blocks are in the next segment, and its code; none for a single one that does not fit."""
        own = slice(self.groups[0], self.groups[-1] + 1)
        left = self.tile.bits[own].sum(0)[order]
        record = Recorder([each for group in self.tile.records[own] for each in group.passes])
        total = float(left.sum())
        share = total / max(1, np.ceil(total / max(8 * self.room - SLACK_BITS, 1)))
        count = max(1, int(np.searchsorted(np.cumsum(left), share * 1.0001, side="right")))
        while True:
            code = record.encoded_blocks(self.tables, sorted(order[:count]))
            if len(code) <= self.room:
                return count, code
            if count == 1:
                break
            count -= 1
        if self.whole:
            raise TooLargeError(self.groups[0], len(code) / self.room)
        return 1, None

"""What to send first: blocks into segments, segments into an order, by slope times importance.

The slope of a block's level is the squared error that it removes over the bytes that it takes; the importance of a
block says what the picture is for (RMPGC Eq. 12). A target rate is a cut in this order: the masks of RMPGC Eq. 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.encoder import CodedTile
from progressive.codecs.rmpgc.layout import LEVELS, SCALES, Layout
from progressive.codecs.rmpgc.records import Recorder, encoded
from progressive.codecs.rmpgc.segments import BASE, RUNS, Contents, largest_prefix, layer_of, naming, tile_bytes
from progressive.exact.tables import FrequencyTable
from progressive.segments.ordering import numbered
from progressive.stream import Segment

SLACK_BITS = 16
"""What a range code may take beyond the ideal, with room to spare."""

FILLED = (0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""The share of the payload limit that segments of each level fill: the first steps are fine ones."""


@dataclass(eq=False)
class Draft:
    """A segment before it has an id. `needs` come before it; `stage` is its last scale of the base, or beyond all."""

    contents: Contents
    level: int
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def stage(self) -> int:
        return SCALES if self.level else self.contents.scales[1]

    @property
    def layer(self) -> int:
        return layer_of(self.level)

    @property
    def density(self) -> float:
        return self.utility / (1 + len(self.contents.body))


@dataclass(frozen=True)
class Group:
    """Blocks that are one level on together. Fields: in the order of their segment's list; the drafts they need."""

    blocks: list[int]
    needs: list[Draft]


def drafts_of(
    number: int,
    tile: CodedTile,
    importance: NDArray[np.float64],
    tables: dict[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
) -> list[Draft]:
    """All segments of a tile, dependencies first; `importance` of each of its blocks, [B]."""
    base = _base_drafts(number, tile, float(importance.mean()), tables, layout, max_payload)
    drafts, groups = list(base), [Group(list(tile.by_activity), base[-1:])]
    runs = len(np.unique(importance)) == 1
    for level in range(1, LEVELS + 1):
        worth = tile.gains[level - 1] * importance
        finer: list[Group] = []
        for group in groups:
            order = group.blocks
            if level > 1 or not runs:
                order = sorted(order, key=lambda b: -worth[b] / (tile.bits[level - 1][b] + 1))
            for chosen, code in _packed(tile, level, order, len(group.blocks), tables, max_payload):
                form, names = naming(chosen, group.blocks)
                utility = max(float(worth[chosen].sum()), 0.0)
                made = _fitted(Contents(form, names + code), level, utility, group.needs, layout, max_payload)
                drafts += made
                finer.append(Group(sorted(chosen), made[-1:]))
        groups = finer
    return drafts


def ordered(drafts: Sequence[Draft], layout: Layout) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: scale by scale the base of all tiles, so that the first picture is whole; then always
    the best utility per byte whose needs are met.
    """

    def payload(draft: Draft, segment_id: int, needs: tuple[int, ...]) -> bytes:
        # What a segment needs last needs all the others.
        return replace(draft.contents, reference=max(needs, default=0)).to_bytes(segment_id, layout)

    return numbered(drafts, lambda d: (d.stage, -d.density if d.level else 0.0), payload)


def _base_drafts(
    number: int,
    tile: CodedTile,
    weight: float,
    tables: dict[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
) -> list[Draft]:
    """As many scales in each segment as fit."""
    room = max_payload - 1 - tile_bytes(layout)
    drafts: list[Draft] = []
    first = 0
    while first < SCALES:
        last, code = first, encoded(tile.stages[first : first + 1], tables)
        while last + 1 < SCALES:
            longer = encoded(tile.stages[first : last + 2], tables)
            if len(longer) > room:
                break
            last, code = last + 1, longer
        utility = float(tile.base_gains[first : last + 1].sum()) * weight
        contents = Contents(BASE, code, number, RUNS.index((first, last)))
        drafts += _fitted(contents, 0, utility, drafts[-1:], layout, max_payload)
        first = last + 1
    return drafts


def _packed(
    tile: CodedTile,
    level: int,
    order: list[int],
    among: int,
    tables: dict[str, FrequencyTable],
    max_payload: int,
) -> Iterator[tuple[list[int], bytes]]:
    """A level of some blocks in as few segments as hold it, in this order: (blocks, range code).

    The blocks are those of one segment of the level before, so that a segment needs one other, and a lost one stops
    little. `among` is how many that one has.
    """
    record: Recorder = tile.levels[level - 1]
    bits, left = tile.bits[level - 1], order
    limit = max_payload - largest_prefix(among)
    room = 8 * (FILLED[level - 1] * max_payload - largest_prefix(among)) - SLACK_BITS
    while left:
        total = float(bits[left].sum())
        share = total / max(1, np.ceil(total / max(room, 1)))
        count = max(1, int(np.searchsorted(np.cumsum(bits[left]), share * 1.0001, side="right")))
        while True:
            chosen = left[:count]
            code = record.encoded_blocks(tables, sorted(chosen))
            if count == 1 or len(code) <= limit:
                break
            count -= 1
        yield chosen, code
        left = left[count:]


def _fitted(
    contents: Contents, level: int, utility: float, needs: list[Draft], layout: Layout, max_payload: int
) -> list[Draft]:
    """The contents in segments that fit; a fragment is worth its share, and needs the one before it."""
    pieces = contents.fitted(max_payload, layout)
    drafts: list[Draft] = []
    for piece in pieces:
        drafts.append(Draft(piece, level, utility / len(pieces), drafts[-1:] or needs))
    return drafts

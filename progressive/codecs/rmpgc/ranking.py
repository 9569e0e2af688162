"""What to send first: blocks into segments, segments into an order, by slope times importance.

The slope of a block's level is the squared error that it removes over the bytes that it takes; the importance of a
block says what the picture is for (RMPGC Eq. 12). A target rate is a cut in this order: the masks of RMPGC Eq. 13.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.backbone import CodedTile
from progressive.codecs.rmpgc.layout import Layout
from progressive.codecs.rmpgc.segments import BASE, Contents, largest_prefix, naming, tile_bytes
from progressive.exact.records import Recorder, encoded
from progressive.exact.tables import FrequencyTable
from progressive.segments.ordering import numbered
from progressive.stream import Segment

SLACK_BITS = 16
"""What a range code may take beyond the ideal, with room to spare."""

FIRST_FILLED = 0.6
"""The share of the payload limit that segments of the first level fill: the first steps are fine ones."""


@dataclass(eq=False)
class Draft:
    """A segment before it has an id; `needs` come before it."""

    contents: Contents
    level: int
    utility: float
    needs: list[Draft] = field(default_factory=list)

    layer: int = 0

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
    tables: Mapping[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
) -> list[Draft]:
    """All segments of a tile, dependencies first; `importance` of each of its blocks, [B]."""
    gains = tile.gains.sum(0)
    weight = float(np.average(importance, weights=np.maximum(gains, 0) + 1))
    base = _base_drafts(number, tile, weight, tables, layout, max_payload)
    drafts, groups = list(base), [Group(list(tile.by_activity), base[-1:])]
    runs = len(np.unique(importance)) == 1
    for level in range(1, len(tile.levels) + 1):
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

    def turn(draft: Draft) -> tuple[int, float]:
        if draft.level:
            return layout.depth.stages, -draft.density
        return layout.depth.runs[draft.contents.run][1], 0.0

    return numbered(drafts, turn, payload)


def _base_drafts(
    number: int,
    tile: CodedTile,
    weight: float,
    tables: Mapping[str, FrequencyTable],
    layout: Layout,
    max_payload: int,
) -> list[Draft]:
    """As many stages in each segment as fit."""
    room = max_payload - 1 - tile_bytes(layout)
    drafts: list[Draft] = []
    first = 0
    stages = layout.depth.stages
    while first < stages:
        last, code = first, encoded(tile.stages[first : first + 1], tables)
        while last + 1 < stages:
            longer = encoded(tile.stages[first : last + 2], tables)
            if len(longer) > room:
                break
            last, code = last + 1, longer
        utility = float(tile.base_gains[first : last + 1].sum()) * weight
        contents = Contents(BASE, code, number, layout.depth.runs.index((first, last)))
        drafts += _fitted(contents, 0, utility, drafts[-1:], layout, max_payload)
        first = last + 1
    return drafts


def _packed(
    tile: CodedTile,
    level: int,
    order: list[int],
    among: int,
    tables: Mapping[str, FrequencyTable],
    max_payload: int,
) -> Iterator[tuple[list[int], bytes]]:
    """A level of some blocks in as few segments as hold it, in this order: (blocks, range code).

    The blocks are those of one segment of the level before, so that a segment needs one other, and a lost one stops
    little. `among` is how many that one has.
    """
    record: Recorder = tile.levels[level - 1]
    bits, left = tile.bits[level - 1], order
    limit = max_payload - largest_prefix(among)
    filled = FIRST_FILLED if level == 1 else 1.0
    room = 8 * (filled * max_payload - largest_prefix(among)) - SLACK_BITS
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
        share, layer = utility / len(pieces), layout.depth.layer_of(level)
        drafts.append(Draft(piece, level, share, drafts[-1:] or needs, layer))
    return drafts

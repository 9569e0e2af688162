"""What to send first: blocks into segments, segments into an order, by slope times importance.

The slope of a block's level is the squared error that it removes over the bytes that it takes; the importance of a
block says what the picture is for (RMPGC Eq. 12). A target rate is a cut in this order: the masks of Eq. 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.encoder import CodedTile
from progressive.codecs.rmpgc.layout import LEVELS, STAGES
from progressive.codecs.rmpgc.segments import LARGEST_PREFIX, Contents
from progressive.entropy.tables import FrequencyTable
from progressive.layers.ordering import numbered
from progressive.stream import Segment

SLACK_BITS = 64
"""What a range code may take beyond the ideal, with room to spare."""

FILLED = (0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
"""The share of the payload limit that segments of each level fill: the first steps are fine ones."""


@dataclass(eq=False)
class Draft:
    """A segment before it has an id. `needs` come before it; `stage` is that of the base, or len(STAGES) beyond it."""

    contents: Contents
    utility: float
    needs: list[Draft] = field(default_factory=list)

    @property
    def stage(self) -> int:
        return min(self.contents.step, len(STAGES))

    @property
    def density(self) -> float:
        return self.utility / len(self.contents.to_bytes())


def drafts_of(
    number: int, tile: CodedTile, importance: NDArray[np.float64], tables: dict[str, FrequencyTable], max_payload: int
) -> list[Draft]:
    """All segments of a tile, dependencies first; `importance` of each of its blocks, [B]."""
    drafts: list[Draft] = []
    base: list[Draft] = []
    weight = float(importance.mean())
    for stage, record in enumerate(tile.stages):
        contents = Contents(number, stage, code=record.encoded(tables))
        base = _fitted(contents, max_payload, float(tile.base_gains[stage]) * weight, base)
        drafts += base
    groups = [(list(range(tile.window.blocks)), base)]
    for level in range(1, LEVELS + 1):
        finer: list[tuple[list[int], list[Draft]]] = []
        for members, needs in groups:
            worth = tile.gains[level - 1] * importance
            for chosen, code in _packed(tile, level, members, worth, tables, max_payload):
                contents = Contents(number, level + len(STAGES) - 1, tuple(sorted(chosen)), code)
                made = _fitted(contents, max_payload, max(float(worth[chosen].sum()), 0.0), needs)
                drafts += made
                finer.append((chosen, made))
        groups = finer
    return drafts


def ordered(drafts: Sequence[Draft]) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: stage by stage the base of all tiles, so that the first picture is whole; then always
    the best utility per byte whose needs are met.
    """
    return numbered(drafts, lambda d: (d.stage, -d.density if d.contents.level else 0.0))


def _packed(
    tile: CodedTile,
    level: int,
    members: list[int],
    worth: NDArray[np.float64],
    tables: dict[str, FrequencyTable],
    max_payload: int,
) -> Iterable[tuple[list[int], bytes]]:
    """A level of some blocks in as few segments as hold it, those with the best slope first: (blocks, range code).

    The blocks are those of one segment of the level before, so that a segment needs one other, and a lost one stops
    little.
    """
    record, bits = tile.levels[level - 1], tile.bits[level - 1]
    left = sorted(members, key=lambda b: -worth[b] / (bits[b] + 1))
    room = 8 * (FILLED[level - 1] * max_payload - LARGEST_PREFIX) - SLACK_BITS
    while left:
        total = float(bits[left].sum())
        share = total / max(1, np.ceil(total / max(room, 1)))
        count = max(1, int(np.searchsorted(np.cumsum(bits[left]), share * 1.0001, side="right")))
        while True:
            chosen = sorted(left[:count])
            code = record.encoded_blocks(tables, chosen)
            if count == 1 or len(code) + LARGEST_PREFIX <= max_payload:
                break
            count -= 1
        yield chosen, code
        left = left[count:]


def _fitted(contents: Contents, max_payload: int, utility: float, needs: list[Draft]) -> list[Draft]:
    """The contents in segments that fit; a fragment is worth its share, and needs the one before it."""
    pieces = contents.fitted(max_payload)
    drafts: list[Draft] = []
    for piece in pieces:
        drafts.append(Draft(piece, utility / len(pieces), [*needs, *drafts[-1:]]))
    return drafts

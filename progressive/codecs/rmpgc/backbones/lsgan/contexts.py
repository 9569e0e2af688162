"""Which row of the table tells how likely a level is: by what is around it and in the channels before.

The positions of a channel are coded coarse to fine: those of a grid of 8, then of 4, 2 and 1; at each step first the
middles of squares, then the middles of their sides. A position sees the four nearest ones that are known already, as
far as they lie in the same tile, or in the same block of the enhance layer.

All numbers are integers. Legend: N items; h x w positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.backbones.lsgan.quantiser import LEVELS, REACH
from progressive.codecs.rmpgc.backbones.lsgan.variants import CHANNELS, SIDE

Ints = NDArray[np.int32]

TABLE = "levels"

DIAGONAL = ((-1, -1), (-1, 1), (1, -1), (1, 1))
AXIAL = ((-1, 0), (1, 0), (0, -1), (0, 1))

KINDS = 4
"""The first grid, and the steps of 4, 2 and 1."""

MEANS = 4 * REACH + 1
"""Means of neighbours in halves of a level."""

SPREADS = 3
"""How far apart neighbours are: not at all, by one level, or more."""

BUSY = (0, 2, 5)
"""Sums of sizes in the channels before, up to each of which the position counts as equally calm."""

ROWS_OF_CHANNEL = KINDS * MEANS * SPREADS * (len(BUSY) + 1)
SHAPES = {TABLE: ((CHANNELS + 1) * ROWS_OF_CHANNEL, LEVELS)}
"""Rows and symbols; a channel more than the latent has, for the mean."""

_MISSING = 99


@dataclass(frozen=True)
class Pass:
    """Positions that are coded at once: [top::step, left::step], and the offsets of what they see."""

    kind: int
    top: int
    left: int
    step: int
    seen: tuple[tuple[int, int], ...]

    @property
    def grid(self) -> tuple[slice, slice]:
        return slice(self.top, None, self.step), slice(self.left, None, self.step)


def passes() -> Iterator[Pass]:
    """All passes over a channel, in order."""
    yield Pass(0, 0, 0, SIDE, ())
    distance = SIDE // 2
    for kind in range(1, KINDS):
        step = 2 * distance
        diagonal, axial = (tuple((y * distance, x * distance) for y, x in offsets) for offsets in (DIAGONAL, AXIAL))
        yield Pass(kind, distance, distance, step, diagonal)
        yield Pass(kind, 0, distance, step, axial)
        yield Pass(kind, distance, 0, step, axial)
        distance //= 2


def rows_of(place: Pass, channel: int, values: Ints, busy: Ints) -> Ints:
    """The table's row of each position of a pass, [N, h', w'].

    Args:
        channel: its number among those that are coded.
        values: its levels, [N, h, w], as far as they are known.
        busy: sums of the sizes of levels in the channels before, [N, h, w].
    """
    calm = np.searchsorted(BUSY, busy[:, *place.grid]).astype(np.int32)
    mean, spread = _around(place, values)
    row = (channel * KINDS + place.kind) * MEANS + mean
    return np.asarray((row * SPREADS + spread) * (len(BUSY) + 1) + calm, np.int32)


def _around(place: Pass, values: Ints) -> tuple[Ints, Ints]:
    """The mean of what a pass sees, from 0, and how far apart it is, each [N, h', w']."""
    if not place.seen:
        like = np.zeros_like(values[:, *place.grid])
        return like + 2 * REACH, like
    margin = place.step // 2
    framed = np.pad(values, ((0, 0), (margin, margin), (margin, margin)), constant_values=_MISSING)
    height, width = values.shape[1:]
    seen = np.stack(
        [
            framed[
                :,
                margin + place.top + down : margin + height + down : place.step,
                margin + place.left + right : margin + width + right : place.step,
            ]
            for down, right in place.seen
        ]
    )
    known = seen != _MISSING
    count = np.maximum(known.sum(0), 1)
    total = np.where(known, seen, 0).sum(0)
    # Rounds halves of a level to the nearest, ties upwards, in integers.
    mean = (4 * total + count) // (2 * count)
    largest = np.where(known, seen, -REACH).max(0)
    smallest = np.where(known, seen, REACH).min(0)
    spread = np.clip(largest - smallest, 0, SPREADS - 1)
    return (mean + 2 * REACH).astype(np.int32), spread.astype(np.int32)

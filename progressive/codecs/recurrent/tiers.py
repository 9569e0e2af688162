"""Which cells go together, and in which order they are sent: by meaning, as Algorithm 1 of Wang et al. (2019) allots.

Algorithm 1 gives block i of 8x8 pixels T_i = min(24, s L_i) iterations, with L_i its share of the importance (Eq. 10)
and s such that the bits suffice (Eq. 9 and 11). A cell is of four blocks; its share is the sum of theirs. As more and
more is sent, s grows, and a cell gets its iteration k when s = k / L: so all its allocations, for every rate, are the
beginnings of one order. A tier is a set of cells of a tile that are about as important; it shares one place in that
order, and a segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.recurrent.layout import CELL, Layout, Window
from progressive.semantics.allocation import BLOCK
from progressive.semantics.coarse_map import CoarseMap

CODE_BYTES = 4
"""Of a cell and iteration, before entropy coding: 32 bits."""

STRENGTHS = {"reconstruct": 0.0, "hybrid": 0.5, "classify": 1.0}
"""The power of a cell's share that sets its place, by context: 1 is Algorithm 1, 0 the same iterations for all."""

FLOOR = 0.1
"""Added to the importance, so that what has none is refined as well."""

WHOLE = 2**20
"""Whole numbers that an importance of 1 is."""

Bools = NDArray[np.bool_]

Shares = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tier:
    """Cells of a tile. Fields: True at its cells, [h, w]; their importance, mean 1 over the photo."""

    cells: Bools
    importance: float

    @property
    def count(self) -> int:
        return int(self.cells.sum())


def cell_shares(layout: Layout, coarse: CoarseMap | None) -> Shares:
    """The importance of each cell's pixels added up (V of Eq. 10), in whole numbers, [rows, columns]; all 1 without a
    map. Decoders order cells by them, so no rounding may tell two machines apart.
    """
    if coarse is None:
        return np.ones((layout.rows, layout.columns), np.int64)
    side = CELL // BLOCK
    blocks = coarse.upsampled(layout.rows * side, layout.columns * side)
    whole = np.rint((blocks.astype(np.float64) + FLOOR) * WHOLE).astype(np.int64)
    shares: Shares = whole.reshape(layout.rows, side, layout.columns, side).sum((1, 3))
    return shares


def tiers_of(window: Window, shares: Shares, cells: int) -> list[Tier]:
    """The tiers of a tile, the most important first: as few as there can be of at most so many cells, about as large.

    Cells of the same importance stay in raster order, so that tiers are of neighbours.
    """
    own, mean = shares[window.slices()].ravel(), float(shares.mean())
    order = np.argsort(-own, kind="stable")
    tiers = []
    for part in np.array_split(order, -(-window.cells // cells)):
        chosen = np.zeros(window.cells, np.bool_)
        chosen[part] = True
        tiers.append(Tier(chosen.reshape(window.height, window.width), float(own[part].mean()) / mean))
    return tiers


def place_in_order(iteration: int, tier: Tier, context: str) -> float:
    """When a tier gets an iteration (from 0): the s of Algorithm 1 in units of a cell's mean share."""
    return float((iteration + 1) / tier.importance ** STRENGTHS[context])

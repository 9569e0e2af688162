"""Which blocks come first: those whose positions matter most for what the picture is for (RMPGC Eq. 9 and 12).

A rate is a cut in this order: the mask of Eq. 13, a block for a position, whose size Eq. 28 gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.backbone import Coded
from progressive.codecs.rmpgc.backbones.masked.encoder import MaskedTile
from progressive.codecs.rmpgc.layout import Layout
from progressive.semantics.blend import contextual_importance
from progressive.semantics.coarse_map import CoarseMap
from progressive.semantics.grids import block_average

Numbers = NDArray[np.float64]


def complexity_of(tiles: list[MaskedTile], layout: Layout, side: int) -> Numbers:
    """The LCM of a whole photo, [side rows, side columns]."""
    whole = np.empty((layout.rows * side, layout.columns * side))
    for tile in tiles:
        whole[tile.window.slices(side)] = tile.complexity
    return whole


def importance_of_blocks(complexity: Numbers, meaning: CoarseMap | None, side: int, context: str) -> Numbers:
    """The mean of I over each block, [rows, columns]: the SIM alone, the LCM alone, or their blend (Eq. 12).

    Args:
        complexity: the LCM, [side rows, side columns].
        meaning: the SIM; none where the context does not ask for it.
    """
    sim = np.zeros_like(complexity) if meaning is None else meaning.upsampled(*complexity.shape).astype(np.float64)
    return block_average(contextual_importance(sim, complexity, context), side)


def weights_of_blocks(coded: Coded, layout: Layout, side: int, meaning: CoarseMap | None, context: str) -> Numbers:
    """Factors of the blocks' slopes, [rows, columns], that put them in the order of I, mean about 1."""
    tiles = [tile for tile in coded.tiles if isinstance(tile, MaskedTile)]
    importance = importance_of_blocks(complexity_of(tiles, layout, side), meaning, side, context)
    slopes = np.empty((layout.rows, layout.columns))
    for tile in tiles:
        own = np.maximum(tile.gains[0], 1.0) / (tile.bits[0] + 1)
        slopes[tile.window.slices(1)] = own.reshape(tile.window.height, tile.window.width)
    weights = (importance + SMALLEST) / slopes
    return np.asarray(weights / np.average(weights, weights=slopes))


SMALLEST = 1e-6
"""Importance of blocks that have none: they come last, not never."""

"""Which blocks come first: those whose positions matter most for what the picture is for (RMPGC Eq. 9 and 12).

A rate is a cut in this order: the mask of Eq. 13, a block for a position, whose size Eq. 28 gives.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.rmpgc.backbone import Coded
from progressive.codecs.rmpgc.backbones.masked.encoder import MaskedTile
from progressive.codecs.rmpgc.layout import Layout
from progressive.semantics.blend import contextual_importance, relative_complexity
from progressive.semantics.coarse_map import CoarseMap
from progressive.semantics.grids import block_average

Numbers = NDArray[np.float64]

TIE = 1e-6
"""Of the LCM in every importance: among equals what is more complex comes first."""

SMALLEST = 1e-9
"""Importance of blocks that have none: they come last, not never."""


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
    importance = contextual_importance(sim, complexity, context)
    return block_average(importance + TIE * relative_complexity(complexity), side)


def weights_of_blocks(coded: Coded, layout: Layout, side: int, meaning: CoarseMap | None, context: str) -> Numbers:
    """Factors of the blocks' slopes, [rows, columns], that put them in the order of I.

    Their mean is 1 if each block counts as what it gains, so that all together they are worth what they gain.
    """
    tiles = [tile for tile in coded.tiles if isinstance(tile, MaskedTile)]
    importance = importance_of_blocks(complexity_of(tiles, layout, side), meaning, side, context)
    weights, gains = importance + SMALLEST, np.empty((layout.rows, layout.columns))
    for tile in tiles:
        place, shape = tile.window.slices(1), (tile.window.height, tile.window.width)
        gains[place] = tile.gains[0].reshape(shape)
        weights[place] *= (tile.bits[0].reshape(shape) + 1) / gains[place]
    return np.asarray(weights / np.average(weights, weights=gains))

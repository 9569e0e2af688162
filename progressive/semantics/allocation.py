"""A budget shared among the blocks of a photo by their importance.

`semantic_levels` are Eq. 10 of the recurrent codec (Wang et al. 2019) and Eq. 17-18 of the ResNet VAE (Qi et al. 2025):
the same definition in both papers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError
from progressive.semantics.grids import Map, block_sums

BLOCK = 8
"""Side of the papers' blocks, in pixels."""

MAX_ITERATIONS = 24
"""Beyond this many iterations of the recurrent codec quality hardly rises (recurrent codec, section 3.3)."""

Levels = NDArray[np.float64]
"""L_i, a share of the whole importance for each block, [h, w]; they sum to one."""


def semantic_levels(importance: Map, side: int = BLOCK) -> Levels:
    """L_i = V_i / sum V with V_i the importance of a block's pixels added up, [H, W] -> [ceil(H/side), ceil(W/side)].

    A map of zeros gives every block the same level.
    """
    values = block_sums(importance, side)
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, 1 / values.size)


def compression_levels(levels: Levels, mean: float) -> NDArray[np.int64]:
    """T_i = floor(L_i mean N), no cap (recurrent codec Eq. 11, ResNet VAE Eq. 19); their mean is at most `mean`."""
    return np.floor(levels * mean * levels.size).astype(np.int64)


def allocate_iterations(levels: Levels, mean: float, cap: int = MAX_ITERATIONS) -> NDArray[np.int64]:
    """Iterations of each block: in proportion to its level, none above the cap, the mean kept.

    Algorithm 1 and Eq. 9 of the recurrent codec (Wang et al. 2019).

    What a block would get beyond the cap is shared among the others by their levels, again while that lifts another
    over the cap; blocks without any importance share what the others cannot take. The algorithm ends with fractions:
    they are rounded down, and the iterations that this leaves go to the largest fractions, so that the sum is exactly
    round(mean N). Raises UsageError unless 0 <= mean <= cap.
    """
    if not 0 <= mean <= cap:
        raise UsageError(f"blocks of at most {cap} iterations cannot have {mean:g} on average: use 0 to {cap}")
    flat = levels.ravel()
    budget = round(mean * flat.size)
    return _rounded(_shared(flat, budget, cap), budget).reshape(levels.shape)


def _shared(levels: Levels, budget: int, cap: int) -> Levels:
    """min(cap, s L_i) with the s that spends the budget: where Algorithm 1 of the recurrent codec comes to rest."""
    shares = np.zeros(levels.size)
    open_ = levels > 0
    while open_.any():
        left = budget - shares[~open_].sum()
        shares[open_] = left * levels[open_] / levels[open_].sum()
        full = open_ & (shares > cap)
        if not full.any():
            return shares
        shares[full] = cap
        open_ &= ~full
    unimportant = levels <= 0
    if unimportant.any():
        shares[unimportant] = (budget - shares.sum()) / unimportant.sum()
    return shares


def _rounded(shares: Levels, budget: int) -> NDArray[np.int64]:
    """Whole numbers that sum to the budget; of equal fractions the first in raster order is rounded up."""
    iterations = np.floor(shares).astype(np.int64)
    rest = budget - int(iterations.sum())
    iterations[np.argsort(iterations - shares, kind="stable")[:rest]] += 1
    return iterations

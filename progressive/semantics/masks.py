"""Which positions of a latent are sent: a target rate becomes a number of positions, that a threshold, that a mask.

Rates are in bits a pixel of the photo, as an entropy coder measures them (AAC in RMPGC).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError
from progressive.semantics.grids import Map

Mask = NDArray[np.bool_]
"""M of RMPGC, [h, w]: true where a position is sent in full."""

Latent = NDArray[np.floating[Any]]
"""[C, h, w]."""


def total_rate(mask: Mask, *, always: float, selectable: float, mask_rate: float = 0.0) -> float:
    """The rate of a masked latent: AAC(M) + always + S / P selectable, S of P positions selected (RMPGC Eq. 15, 27).

    Args:
        mask: what is selected.
        always: sent under any mask: AAC(u) for a latent without layers, AAC(alpha) with base layers.
        selectable: what a full mask adds: AAC(o) - AAC(u) without layers, AAC(beta) of the enhance layers with them.
        mask_rate: AAC(M), which RMPGC neglects.
    """
    return mask_rate + always + selectable * float(mask.mean())


def affordable_positions(
    positions: int, rate: float, *, always: float, selectable: float, mask_rate: float = 0.0
) -> int:
    """S, how many of P positions a rate pays for: floor(P (rate - always - mask_rate) / selectable), within 0..P.

    RMPGC Eq. 16-17 (always = AAC(u), selectable = AAC(o) - AAC(u)) and, after Eq. 25 has taken the base layers off the
    rate, Eq. 28-29 (always = AAC(alpha), selectable = AAC(beta)). Raises UsageError for a negative cost.
    """
    if always < 0 or selectable < 0 or mask_rate < 0:
        raise UsageError("rates below zero cannot be shared out: measure what the entropy coder writes")
    left = rate - always - mask_rate
    if left < 0:
        return 0
    return positions if left >= selectable else math.floor(positions * left / selectable)


def importance_threshold(importance: Map, count: int) -> float:
    """T of RMPGC Eq. 13 for S = `count`: as many values as that are above it, fewer only where values are equal.

    It is the next value after the S largest; minus infinity if all are to be selected. Raises UsageError unless
    0 <= count <= P.
    """
    _check_count(importance, count)
    if count == importance.size:
        return -math.inf
    return float(np.partition(importance, -count - 1, axis=None)[-count - 1])


def threshold_mask(importance: Map, threshold: float) -> Mask:
    """M = 1 where I > T (RMPGC Eq. 13)."""
    return np.asarray(importance > threshold)


def largest_mask(importance: Map, count: int) -> Mask:
    """The S = `count` largest elements of I (RMPGC Eq. 17 ff.), exactly as many; of equals the first in raster order.

    Raises UsageError unless 0 <= count <= P.
    """
    _check_count(importance, count)
    mask = np.zeros(importance.size, np.bool_)
    mask[np.argsort(-importance, axis=None, kind="stable")[:count]] = True
    return mask.reshape(importance.shape)


def mask_for_rate(importance: Map, rate: float, *, always: float, selectable: float, mask_rate: float = 0.0) -> Mask:
    """The most important positions that a rate pays for (RMPGC Eq. 13 with 17 or 29); see `affordable_positions`."""
    count = affordable_positions(importance.size, rate, always=always, selectable=selectable, mask_rate=mask_rate)
    return largest_mask(importance, count)


def channel_mean_outside(latent: Latent, mask: Mask) -> Latent:
    """A latent without layers under a mask: outside it every channel is the channels' mean (RMPGC Eq. 14)."""
    return np.where(mask, latent, latent.mean(axis=0, keepdims=True))


def masked_layers(base: Latent, enhance: Latent, mask: Mask) -> Latent:
    """A layered latent under a mask: concat(alpha, beta M), base layers whole, enhance layers masked (RMPGC Eq. 26)."""
    return np.concatenate([base, enhance * mask])


def _check_count(importance: Map, count: int) -> None:
    if not 0 <= count <= importance.size:
        raise UsageError(f"cannot select {count} of {importance.size} positions")

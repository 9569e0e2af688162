"""Stored probability tables in exact integers."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 14
TOTAL = 1 << PRECISION_BITS
"""Every row of a table sums to this, so that no symbol ever costs more than 14 bits."""


class FrequencyTable:
    """A categorical distribution a row: integer frequencies, [rows, symbols], at least 1, each row summing to TOTAL."""

    def __init__(self, frequencies: NDArray[np.integer]) -> None:
        if frequencies.ndim != 2 or frequencies.min() < 1 or (frequencies.sum(1, dtype=np.int64) != TOTAL).any():
            raise ValueError(f"frequencies must be positive and every row must sum to {TOTAL}")
        self.frequencies = frequencies.astype(np.int32)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """Exact binary fractions: sums of them have no rounding error, so they are as good as integers."""
        return self.frequencies / np.float64(TOTAL)

    @cached_property
    def bits(self) -> NDArray[np.float32]:
        """The ideal code length of each symbol in each row."""
        return (-np.log2(self.probabilities)).astype(np.float32)


def frequencies_from_counts(counts: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Rounds non-negative counts, [rows, symbols], to frequencies that are at least 1 and sum to TOTAL in each row."""
    rows, symbols = counts.shape
    weights = counts + 1e-9
    share = weights / weights.sum(1, keepdims=True) * (TOTAL - symbols)
    frequencies = np.floor(share).astype(np.int64) + 1
    frequencies[np.arange(rows), share.argmax(1)] += TOTAL - frequencies.sum(1)
    rounded: NDArray[np.uint16] = frequencies.astype(np.uint16)
    return rounded

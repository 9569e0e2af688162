"""Which conditions a batch is trained under (RMPGC Eq. 35)."""

from __future__ import annotations

import numpy as np


def drawn_conditions(count: int, rng: np.random.Generator) -> list[int]:
    """Conditions for so many photos: all three as often as can be, in an order of chance."""
    first = int(rng.integers(3))
    return [int(each) for each in rng.permutation((first + np.arange(count)) % 3)]

"""How sure a mean over photos is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError

DRAWS = 10_000
CONFIDENCE = 0.95
_CELLS = 2_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and the interval that holds it with 95 % confidence.

    Fields:
        low, high: of the interval; nan if there is one photo, which says nothing of how photos differ.
        photos: how many values it is the mean of.
    """

    mean: float
    low: float
    high: float
    photos: int

    def in_words(self, form: str, unit: str = "") -> str:
        """Such as `+1.20 dB (0.95 to 1.43)` in the format `+.2f`, `+1.20 dB (n = 1)` of one photo."""
        interval = "n = 1" if self.photos == 1 else f"{self.low:{form}} to {self.high:{form}}"
        return f"{self.mean:{form}}{unit} ({interval})"


def estimate(values: Sequence[float] | NDArray[np.float64], seed: int = 0) -> Estimate:
    """The mean, one value a photo, with the percentile bootstrap's interval: photos are drawn again with replacement.

    The same for the same values and seed; paired if the values are differences; of one photo there is no interval.
    Raises UsageError without values.
    """
    if not len(values):
        raise UsageError("there is no mean of no photos: measure one at least")
    numbers = np.asarray(values, np.float64)
    if len(numbers) == 1:
        return Estimate(float(numbers[0]), np.nan, np.nan, 1)
    rng = np.random.default_rng(seed)
    rows = max(1, _CELLS // len(numbers))
    chunks = [min(rows, DRAWS - start) for start in range(0, DRAWS, rows)]  # bounds the memory for many photos
    means = np.concatenate([numbers[rng.integers(len(numbers), size=(n, len(numbers)))].mean(1) for n in chunks])
    low, high = np.quantile(means, ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
    return Estimate(float(numbers.mean()), float(low), float(high), len(numbers))

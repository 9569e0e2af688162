"""The finest level whose stream fits: what a stream takes rises with the level.

Every trial codes the whole photo, so there should be few: the next level is where a straight line through the
logarithms of what was found meets the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

MAX_TRIALS = 7


@dataclass
class Search:
    """Which level to try next.

    Args:
        budget: bytes that the stream may take.
        start: the first level.
        finest: the last one that may be taken.
        octave: how many levels double what a stream takes, before anything is known.
        close: a stream that takes this share of what it may is close enough.
    """

    budget: int
    start: int
    finest: int
    octave: float
    close: float = 1.0
    _sizes: dict[int, float] = field(default_factory=dict)
    _fits: int = -1
    _beyond: int = field(init=False)

    def __post_init__(self) -> None:
        self._beyond = self.finest + 1

    def run(self, size_of: Callable[[int], float]) -> int:
        """The finest level that was found to fit; 0 if none does. `size_of` codes a photo and says what it takes."""
        level = self.start
        for _ in range(MAX_TRIALS):
            size = self._sizes[level] = size_of(level)
            if size <= self.budget:
                self._fits = max(self._fits, level)
            else:
                self._beyond = min(self._beyond, level)
            if self._beyond - self._fits <= 1 or self.close * self.budget <= size <= self.budget:
                break
            level = self._next(level, size)
        return max(self._fits, 0)

    def _next(self, level: int, size: float) -> int:
        octaves = math.log2(self.budget / size)
        others = [n for n in self._sizes if n != level]
        slope = self.octave
        if others:
            nearest = min(others, key=lambda n: abs(n - level))
            apart = math.log2(self._sizes[nearest] / size)
            if apart * (nearest - level) > 0:
                slope = (nearest - level) / apart
        found = level + math.floor(octaves * slope)
        return min(max(found, self._fits + 1), self._beyond - 1)

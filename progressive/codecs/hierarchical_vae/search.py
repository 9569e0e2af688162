"""The finest gamma whose stream fits: what a stream takes rises with gamma, about twofold in an octave of the step.

Every trial codes the whole photo, so there should be few: the next gamma is where a straight line through the
logarithms of what was found meets the budget.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from progressive.codecs.hierarchical_vae.rates import FINEST, OCTAVES

USUAL_GAMMAS_AN_OCTAVE = FINEST / OCTAVES
CLOSE = 0.985
"""A stream that takes this share of what it may is close enough."""

MAX_TRIALS = 7


@dataclass
class Search:
    """Which gamma to try next.

    Args:
        budget: bytes that the stream may take.
        start: the first gamma.
    """

    budget: int
    start: int
    _sizes: dict[int, float] = field(default_factory=dict)
    _fits: int = -1
    _beyond: int = FINEST + 1

    def run(self, size_of: Callable[[int], float]) -> int:
        """The finest gamma that was found to fit; 0 if none does. `size_of` codes a photo and says what it takes."""
        gamma = self.start
        for _ in range(MAX_TRIALS):
            size = self._sizes[gamma] = size_of(gamma)
            if size <= self.budget:
                self._fits = max(self._fits, gamma)
            else:
                self._beyond = min(self._beyond, gamma)
            if self._beyond - self._fits <= 1 or CLOSE * self.budget <= size <= self.budget:
                break
            gamma = self._next(gamma, size)
        return max(self._fits, 0)

    def _next(self, gamma: int, size: float) -> int:
        octaves = math.log2(self.budget / size)
        others = [g for g in self._sizes if g != gamma]
        slope = USUAL_GAMMAS_AN_OCTAVE
        if others:
            nearest = min(others, key=lambda g: abs(g - gamma))
            apart = math.log2(self._sizes[nearest] / size)
            if apart * (nearest - gamma) > 0:
                slope = (nearest - gamma) / apart
        found = gamma + math.floor(octaves * slope)
        return min(max(found, self._fits + 1), self._beyond - 1)

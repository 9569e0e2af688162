"""What packets are worth at every moment: decibels, times the time for which they show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from progressive.wire.protection.odds import AHEAD
from progressive.wire.protection.plan import BlockShape, Goal, Plan
from progressive.wire.protection.quality import Sources

Floats = NDArray[np.float64]

MOMENTS = 64
"""Points in time at which worth is tabulated, evenly from the start to the deadline."""

WEIGHT_OF_TIME = 0.02
"""Share of the area in what is maximised for the final quality: of two ways to it the faster one is taken."""


class Worth:
    """Tables of worth over time.

    A source that shows from t on is worth the integral from t to the deadline of 10 log10(1 + u / d), with u the
    distortion that it removes and d what is expected to be left by then anyway. Where it is missing, u is that of all
    that depends on it too.
    """

    def __init__(self, sources: Sources, blocks: Sequence[BlockShape], goal: Goal, left: Floats) -> None:
        """`left`: distortion expected to be left at each moment, [MOMENTS]."""
        self._per_byte = MOMENTS / goal.budget_bytes
        self._size = sources.size
        weight = np.full(MOMENTS, 1 / MOMENTS)
        if goal.objective == "final":
            weight *= WEIGHT_OF_TIME
            weight[-1] += 1 - WEIGHT_OF_TIME
        self._alone = _until_the_deadline(sources.utility, left, weight) * (1 - goal.model.loss)
        self.of_sources = _until_the_deadline(sources.with_dependants, left, weight)[:, 0]
        """Of each source from the start on, [S]."""
        of_blocks = np.add.reduceat(_until_the_deadline(sources.with_dependants, left, weight), sources.start, axis=0)
        remaining = of_blocks / np.maximum(of_blocks[:, :1], 1e-300)
        remaining = np.append(remaining, np.zeros((len(remaining), 1)), axis=1)  # after the deadline nothing
        cost = np.multiply.outer([shape.parity_size for shape in blocks], AHEAD)  # [B, J]
        moments = np.arange(MOMENTS)[:, None, None] + (cost * self._per_byte).astype(np.intp)
        rows = np.arange(len(remaining))[:, None]
        self._remaining_per_byte = remaining[rows, np.minimum(moments, MOMENTS)] / cost  # [MOMENTS, B, J]

    def rate_of_source(self, source: int, spent: int) -> float:
        """Expected worth a byte of sending this source after `spent` bytes."""
        size = self._size[source]
        moment = min(int((spent + size) * self._per_byte), MOMENTS - 1)
        return float(self._alone[source, moment] / size)

    def remaining_per_byte(self, spent: int) -> Floats:
        """Share of each block's worth that is left when so much parity (`AHEAD`) has gone, over its bytes, [B, J]."""
        remaining: Floats = self._remaining_per_byte[min(int(spent * self._per_byte), MOMENTS - 1)]
        return remaining


def expected_left(sources: Sources, goal: Goal) -> Floats:
    """A first guess of the distortion left at each moment: sources in order, as much parity as there are losses."""
    pace = 1 / (1 - goal.model.loss)
    moments = np.linspace(0, goal.budget_bytes, MOMENTS)
    removed = np.interp(moments, np.cumsum(sources.size) * pace, np.cumsum(sources.utility), left=0.0)
    return np.asarray(sources.total - removed * (1 - 0.1 * goal.model.loss))


def left_after(sources: Sources, plan: Plan, quality: Floats, goal: Goal) -> Floats:
    """The distortion left at each moment by the expected quality after each slot of a plan, [MOMENTS]."""
    moments = np.linspace(0, goal.budget_bytes, MOMENTS)
    after = np.searchsorted(np.cumsum(plan.sizes), moments, side="right")
    return np.asarray(sources.total * 10 ** (-np.append(0.0, quality)[after] / 10))


def _until_the_deadline(utility: Floats, left: Floats, weight: Floats) -> Floats:
    """10 log10(1 + utility / left), weighted and summed from each moment on, [S, MOMENTS]."""
    decibels = 10 * np.log10(1 + utility[:, None] / left) * weight
    return np.asarray(decibels[:, ::-1].cumsum(axis=1)[:, ::-1])

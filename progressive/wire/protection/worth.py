"""What it is worth to remove distortion at every moment: decibels, times the time for which they show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.wire.protection.plan import Goal, Plan
from progressive.wire.protection.quality import Sources

Floats = NDArray[np.float64]

MOMENTS = 64
"""Points in time at which the distortion left is tabulated, evenly from the start to the deadline."""

WEIGHT_OF_TIME = 0.02
"""Share of the area in what is maximised for the final quality: of two ways to it the faster one is taken."""


class Worth:
    """Worth over time, which is measured in bytes sent.

    From a moment on, distortion u is worth the time until the deadline times 10 log10(1 + u / d), with d the distortion
    that is expected to be left anyway, its geometric mean over that time.
    """

    def __init__(self, goal: Goal, left: Floats) -> None:
        """`left`: distortion expected to be left at each moment, [MOMENTS]."""
        weight = np.full(MOMENTS, 1 / MOMENTS)
        if goal.objective == "final":
            weight *= WEIGHT_OF_TIME
            weight[-1] += 1 - WEIGHT_OF_TIME
        self._moments_per_byte = MOMENTS / goal.budget_bytes
        remaining = weight[::-1].cumsum()[::-1]
        self._left = np.exp((np.log(left) * weight)[::-1].cumsum()[::-1] / remaining)
        self._remaining = np.append(remaining, 0.0)

    def decibels(self, distortion: Floats | float, spent: int) -> Floats:
        """What distortions are worth that are gone from here on, a unit of remaining time."""
        moment = min(int(spent * self._moments_per_byte), MOMENTS - 1)
        return np.asarray(10 * np.log10(1 + distortion / self._left[moment]))

    def remaining(self, spent: Floats | float) -> Floats:
        """The time that remains when so many bytes, more than 0, have been sent; nothing after the deadline."""
        moments = np.minimum(np.ceil(np.asarray(spent * self._moments_per_byte)) - 1, MOMENTS).astype(np.intp)
        return np.asarray(self._remaining[moments])


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

"""One comparison of what the simulator draws with what theory says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A measured figure beside its closed form.

    Fields:
        what: which figure of which model, with its unit.
        measured: from simulated samples.
        expected: the closed form's, or the standard's.
        tolerance: largest allowed difference between the two.
        samples: how many samples the measured figure comes from.
    """

    what: str
    measured: float
    expected: float
    tolerance: float
    samples: int

    @property
    def holds(self) -> bool:
        return abs(self.measured - self.expected) <= self.tolerance

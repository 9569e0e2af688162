"""An impairment as another package would bring it: a drawbridge that stops all packets for part of every period."""

from dataclasses import dataclass

from numpy.random import SeedSequence

from channel_sim.words import Kind
from progressive.units import format_time, parse_percent, parse_time


@dataclass(frozen=True)
class Drawbridge:
    period_s: float
    open_share: float = 0.5

    def __str__(self) -> str:
        return f"a drawbridge every {format_time(self.period_s)}"

    def start(self, seed: SeedSequence) -> "Drawbridge":
        return self

    def delay_s(self, size_bytes: int, now_s: float) -> float | None:
        """Small packets wait until it is closed, large ones fall into the water."""
        phase_s = now_s % self.period_s
        if phase_s >= self.open_share * self.period_s:
            return 0.0
        return self.open_share * self.period_s - phase_s if size_bytes < 100 else None


BRIDGE = Kind(
    "bridge:2s,open=50%",
    {"period": ("period_s", parse_time), "open": ("open_share", parse_percent)},
    lambda fields: {"further": (Drawbridge(**fields),)},
    "period",
    ["period"],
)

"""How long packets wait on a link behind others, from when they left and arrived by two clocks that differ."""

from __future__ import annotations

from math import inf

GENERATION_S = 300.0
"""The least delays of the last one to two of these count: clocks drift apart by some 50 ms meanwhile at most, and
routes change. LEDBAT (RFC 6817) keeps ten minutes."""

SIZE_STEP = 64
"""Packets whose sizes differ by less, in bytes, are compared as if they were equal."""


class QueueDelay:
    """Delay beyond the least that was seen, and beyond what a larger packet takes to be transmitted."""

    def __init__(self) -> None:
        self._least: dict[int, float] = {}
        self._least_before: dict[int, float] = {}
        self._begun_s = -inf

    def take(self, delay_s: float, size: int, now: float, rate_bps: float | None) -> float:
        """How long a packet waited, in seconds, 0 or more.

        Args:
            delay_s: from when it left, by one clock, to when it arrived, by another.
            size: of the packet, in bytes.
            now: for forgetting what is long past.
            rate_bps: of the link as far as it is known; None compares packets of about the same size only.
        """
        if now - self._begun_s > GENERATION_S:
            self._least_before, self._least, self._begun_s = self._least, {}, now
        step = size // SIZE_STEP
        self._least[step] = min(delay_s, self._least.get(step, inf))
        return delay_s - min(
            least + max(0, step - other) * SIZE_STEP * 8 / rate_bps if rate_bps else least
            for known in (self._least, self._least_before)
            for other, least in known.items()
            if rate_bps or other == step
        )

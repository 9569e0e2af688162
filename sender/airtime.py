"""The duty cycle of a radio: what share of any hour it may be on the air.

ETSI EN 300 220-1 defines the duty cycle as the time on air in an observation period, of one hour unless said otherwise,
over that period. A sender may use its share of an hour at once; then it has to wait until what it sent is an hour ago.
"""

from __future__ import annotations

from collections import deque
from math import inf

HOUR_S = 3600.0


class Airtime:
    """What was on the air in the last hour, and so what may be.

    A packet counts in full as long as its end is in the window. Times are seconds on one clock of the caller's.

    Field: limit_s: the most time on air in an hour.
    """

    def __init__(self, share: float, window_s: float = HOUR_S) -> None:
        """`share`: of the time, above 0 to 1."""
        self.limit_s = share * window_s
        self._window_s = window_s
        self._sent: deque[tuple[float, float]] = deque()
        """End and time on air of each packet."""
        self._used_s = 0.0

    def ready_at(self, seconds: float) -> float:
        """The earliest time from which a packet may be on the air for so long; `limit_s` at most."""
        used_s, ready_s = self._used_s, -inf
        for end_s, own_s in self._sent:
            if used_s + seconds <= self.limit_s + 1e-9:
                break
            used_s -= own_s
            ready_s = end_s + self._window_s - seconds
        return ready_s

    def take(self, seconds: float, now: float) -> None:
        """Notes that a packet is on the air from `now` on, no earlier than `ready_at(seconds)`."""
        self._forget(now)
        self._sent.append((now + seconds, seconds))
        self._used_s += seconds

    def available_s(self, now: float, until: float) -> float:
        """The most time on air between two times."""
        self._forget(now)
        hours, rest_s = divmod(max(0.0, until - now), self._window_s)
        freed_s = sum(own_s for end_s, own_s in self._sent if end_s + self._window_s <= now + rest_s)
        return hours * self.limit_s + min(rest_s, max(0.0, self.limit_s - self._used_s) + freed_s)

    def wait_s(self, seconds: float, now: float) -> float:
        """How long from now until so much, or an hour's share, may be sent at once."""
        return max(0.0, self.ready_at(min(seconds, self.limit_s)) - now)

    def _forget(self, now: float) -> None:
        while self._sent and self._sent[0][0] + self._window_s <= now:
            self._used_s -= self._sent.popleft()[1]
        if not self._sent:
            self._used_s = 0.0

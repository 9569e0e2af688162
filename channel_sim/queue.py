"""What waits before a link, and what is dropped there: tail drop, and active queue management like CoDel's."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import inf, isfinite, sqrt

from progressive.errors import UsageError
from progressive.units import format_time


@dataclass(frozen=True, slots=True)
class CoDel:
    """Controlled delay, RFC 8289: drops a packet now and then for as long as packets keep waiting too long.

    Fields:
        target_s: a wait that is fine however long it lasts, in seconds; more than 0.
        interval_s: how long waits may exceed the target before the first drop, in seconds; more than the target.
    """

    target_s: float = 0.005
    interval_s: float = 0.1

    def __post_init__(self) -> None:
        if not (self.target_s > 0 and isfinite(self.target_s)):
            raise UsageError(f"a CoDel target of {self.target_s:.4g} s is impossible: use more than 0 s")
        if not (self.target_s < self.interval_s < inf):
            raise UsageError(
                f"a CoDel interval of {self.interval_s:.4g} s is impossible: use more than the target of "
                f"{self.target_s:.4g} s"
            )

    def __str__(self) -> str:
        return f"CoDel target {format_time(self.target_s)} interval {format_time(self.interval_s)}"


class Queue:
    """First in, first out, before a transmitter that says when it will begin with a packet offered now."""

    def __init__(self, limit_bytes: int | None = None, codel: CoDel | None = None) -> None:
        """
        Args:
            limit_bytes: a packet that would wait together with more than this many bytes is dropped (the packet in
                transmission does not wait); None waits without limit.
            codel: also drops packets that would wait too long; None does not.
        """
        self._limit_bytes = inf if limit_bytes is None else limit_bytes
        self._controller = None if codel is None else _CoDelController(codel)
        self._waiting: deque[tuple[float, int]] = deque()
        self._waiting_bytes = 0

    def admits(self, size: int, now: float, begins_s: float) -> bool:
        """Whether a packet of `size` bytes, offered at `now` to be transmitted from `begins_s` on, is not dropped.

        CoDel decides when a packet leaves the queue, at `begins_s`. Its exception for a queue that holds no more than
        one packet is applied to what waits when the packet is offered, since what comes later is not known yet.
        """
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting_bytes -= self._waiting.popleft()[1]
        waits = begins_s > now
        if waits and self._waiting_bytes + size > self._limit_bytes:
            return False
        ahead = self._waiting_bytes
        if waits:
            self._waiting.append((begins_s, size))
            self._waiting_bytes += size
        if self._controller is None:
            return True
        return not self._controller.drops(begins_s, wait_s=begins_s - now if ahead else 0.0)


class _CoDelController:
    """The state machine of RFC 8289, section 5: one call for each packet that comes to the head of the queue."""

    def __init__(self, settings: CoDel) -> None:
        self._target_s, self._interval_s = settings.target_s, settings.interval_s
        self._patient_until_s: float | None = None
        self._dropping = False
        self._next_drop_s = -inf
        self._count = self._last_count = 0

    def drops(self, now: float, wait_s: float) -> bool:
        too_long = self._too_long(now, wait_s)
        if not self._dropping:
            if too_long:
                self._start_dropping(now)
            return too_long
        if not too_long:
            self._dropping = False
            return False
        if now < self._next_drop_s:
            return False
        self._count += 1
        self._next_drop_s += self._interval_s / sqrt(self._count)
        return True

    def _too_long(self, now: float, wait_s: float) -> bool:
        """Whether waits have exceeded the target for a whole interval."""
        if wait_s < self._target_s:
            self._patient_until_s = None
            return False
        if self._patient_until_s is None:
            self._patient_until_s = now + self._interval_s
            return False
        return now >= self._patient_until_s

    def _start_dropping(self, now: float) -> None:
        """Goes on about as fast as it last dropped, if that was recently."""
        recent = self._count - self._last_count
        resumes = recent > 1 and now - self._next_drop_s < 16 * self._interval_s
        self._count = self._last_count = recent if resumes else 1
        self._dropping = True
        self._next_drop_s = now + self._interval_s / sqrt(self._count)

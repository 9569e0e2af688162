"""Pacing: a token bucket that holds one packet, or a few where packets are due faster than clocks ring."""

from __future__ import annotations


class TokenBucket:
    """Lets bytes pass at a rate; over any window of T seconds at most rate * T + depth of them.

    Kept as the time at which the bucket is full again, so that the moment `ready_at` names is one at which the packet
    may go, without any rounding in between.
    """

    def __init__(self, rate_bytes_per_s: float, depth_bytes: int, *, now: float) -> None:
        """`depth_bytes`: what may go at once, the largest packet at least. The bucket is full at `now`."""
        self._rate = rate_bytes_per_s
        self._depth = depth_bytes
        self._full_at = now

    def ready_at(self, size: int) -> float:
        """The earliest time, in seconds, at which `size` bytes may go."""
        return self._full_at - (self._depth - size) / self._rate

    def change(self, rate_bytes_per_s: float, depth_bytes: int, now: float) -> None:
        """Goes on at another rate from `now` on; what has gone is owed as before."""
        owed = max(0.0, self._full_at - now) * self._rate
        self._rate, self._depth = rate_bytes_per_s, depth_bytes
        self._full_at = now + owed / self._rate

    def take(self, size: int, now: float) -> None:
        """Notes that `size` bytes went at `now`, no earlier than `ready_at(size)`."""
        self._full_at = max(self._full_at, now) + size / self._rate

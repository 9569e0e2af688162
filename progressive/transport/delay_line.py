"""Datagrams on their way: each is handed over when it is due, on the clock of the running event loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

MAX_BYTES_IN_FLIGHT = 64_000_000
"""Five seconds at 100 Mbit/s; a link without a limit to its queue must not take all memory."""


class DelayLine:
    """Hands over in the order of arrival times, and among equal ones in the order of sending."""

    def __init__(self) -> None:
        self.overflowed = 0
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, int, bytes, Callable[[bytes], None]]] = []
        self._bytes = self._count = 0
        self._alarm: asyncio.TimerHandle | None = None

    def put(self, arrival_s: float, data: bytes, hand_over: Callable[[bytes], None]) -> None:
        """Hands over the datagram at `arrival_s`; drops it if too many bytes are on their way."""
        if self._bytes + len(data) > MAX_BYTES_IN_FLIGHT:
            self.overflowed += 1
            return
        self._bytes += len(data)
        self._count += 1
        heapq.heappush(self._heap, (arrival_s, self._count, data, hand_over))
        self._wake_for_first()

    def close(self) -> None:
        """Forgets what is on its way."""
        self._heap.clear()
        self._bytes = 0
        self._wake_for_first()

    def _wake_for_first(self) -> None:
        due_s = self._heap[0][0] if self._heap else None
        if self._alarm is not None:
            if self._alarm.when() == due_s and not self._alarm.cancelled():
                return
            self._alarm.cancel()
        self._alarm = None if due_s is None else self._loop.call_at(due_s, self._hand_over_due)

    def _hand_over_due(self) -> None:
        self._alarm = None
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            _, _, data, hand_over = heapq.heappop(self._heap)
            self._bytes -= len(data)
            hand_over(data)
        self._wake_for_first()

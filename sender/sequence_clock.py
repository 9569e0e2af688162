"""The time of a sequence: its frames go by it, and a thread may wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from math import inf


class SequenceClock:
    """Seconds since a sequence began."""

    def __init__(self, clock: Callable[[], float], *, stands: bool = False) -> None:
        """
        Args:
            clock: in seconds.
            stands: at 0, until it is told to go.
        """
        self._clock = clock
        self._began_s = inf if stands else clock()
        self._stop = threading.Event()

    def __call__(self) -> float:
        return max(0.0, self._clock() - self._began_s)

    def go(self) -> None:
        """The sequence begins, if it has not yet."""
        self._began_s = min(self._began_s, self._clock())

    def wait_until(self, time_s: float) -> None:
        """Returns at that reading, or once stopped; not for the event loop's thread."""
        self._stop.wait(max(0.0, time_s - self()))

    def stop(self) -> None:
        """Nobody waits any more."""
        self._stop.set()

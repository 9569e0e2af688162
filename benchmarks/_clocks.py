"""Clocks around calls: durations, the share spent in the entropy coders, and the most memory taken."""

from __future__ import annotations

import ctypes
import functools
import inspect
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

import numpy as np

from progressive.exact import coders

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one kind of call.

    Fields:
        median_ms: of its repetitions.
        late_ms: the 90th percentile.
        entropy_share: of the time, spent in the entropy coders.
        memory_mb: taken at most, on top of what the process holds before; None where the system does not tell.
    """

    median_ms: float
    late_ms: float
    entropy_share: float
    memory_mb: float | None


def cost_of(calls: Iterable[Callable[[], object]]) -> Cost:
    """Takes calls of one kind one by one, three or more: the first warms up, the last tells the memory.

    Only the calls are timed, not what it takes to come up with them.
    """
    remaining = iter(calls)
    next(remaining)()
    durations, inside, last = list[float](), 0.0, next(remaining)
    with entropy_coding_timed() as watch:
        for following in remaining:
            inside_before, start = watch.total_ms, time.perf_counter()
            last()
            durations.append(1000 * (time.perf_counter() - start))
            inside += watch.total_ms - inside_before
            last = following
    median, late = np.quantile(durations, (0.5, 0.9))
    return Cost(float(median), float(late), inside / sum(durations), peak_memory_mb(last))


class Stopwatch:
    """Adds up the time that threads spend in the calls it wraps; calls inside one another count once."""

    def __init__(self) -> None:
        self.total_ms = 0.0
        self._running = threading.local()
        self._lock = threading.Lock()

    def around(self, function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            if getattr(self._running, "inside", False):
                return function(*args, **kwargs)
            self._running.inside, start = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._running.inside = False
                with self._lock:
                    self.total_ms += 1000 * (time.perf_counter() - start)

        return timed


@contextmanager
def entropy_coding_timed() -> Iterator[Stopwatch]:
    """A stopwatch around every method of the classes in `progressive.exact.coders`."""
    watch = Stopwatch()
    originals = [
        (coder, name, method)
        for coder in vars(coders).values()
        if inspect.isclass(coder) and coder.__module__ == coders.__name__
        for name, method in vars(coder).items()
        if inspect.isfunction(method)
    ]
    for coder, name, method in originals:
        setattr(coder, name, watch.around(method))
    try:
        yield watch
    finally:
        for coder, name, method in originals:
            setattr(coder, name, method)


def peak_memory_mb(call: Callable[[], object]) -> float | None:
    """The most memory that the call takes on top of what the process holds before it; None where Linux is not there
    to tell."""
    held_before = _restart_peak_mb()
    call()
    return None if held_before is None else _status_mb("VmHWM") - held_before


def _restart_peak_mb() -> float | None:
    """Gives back what is free, forgets the peak so far, and says what is held."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # else the call would be given what earlier ones have freed
        Path("/proc/self/clear_refs").write_text("5")
        return _status_mb("VmRSS")
    except (AttributeError, OSError, TypeError):
        return None


def _status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:")) / 1024

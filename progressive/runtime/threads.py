"""How many threads torch computes on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

MOST_THREADS = 4
"""That one computation is worth: most of its operations are short."""

LOAD, OWN_THREADS = Path("/proc/loadavg"), Path("/proc/self/task")
"""Where Linux tells how many threads of all processes run now, and those of this one."""

_idle = Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: on cores that other work shares, threads that wait for each other are far slower."""
    with _threads(1):
        yield


@contextmanager
def idle_threads() -> Iterator[None]:
    """Torch on a thread for each core that is idle now, up to those it was on before and to `MOST_THREADS`.

    It is for stretches of some milliseconds, as other work may begin. A second computation of this process that asks
    meanwhile has one thread.
    """
    import torch

    mine = torch.get_num_threads() > 1 and _idle.acquire(blocking=False)
    try:
        with _threads(min(torch.get_num_threads(), MOST_THREADS, idle_cores()) if mine else 1):
            yield
    finally:
        if mine:
            _idle.release()


def idle_cores() -> int:
    """Cores on which no other process runs at this moment, at least 1; half of all where the system does not tell.

    Threads of this process do not count as others' work: those that have computed spin for a while.
    """
    if not LOAD.exists():
        return max(1, (os.cpu_count() or 1) // 2)
    running = int(LOAD.read_text().split()[3].split("/")[0])
    own = sum(_runs(thread) for thread in OWN_THREADS.iterdir())
    return max(1, len(os.sched_getaffinity(0)) - max(0, running - own))


def _runs(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except OSError:  # it has ended
        return False


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)

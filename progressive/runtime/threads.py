"""How many threads torch computes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, Thread, local

MOST_THREADS = 4
"""That one computation is worth: most of its operations are short."""

LOAD, OWN_THREADS, QUOTA = Path("/proc/loadavg"), Path("/proc/self/task"), Path("/sys/fs/cgroup/cpu.max")
"""Where Linux tells how many threads of all processes run now, those of this one, and how many cores it may use."""

_idle, _entering = Lock(), Lock()
_inside = 0
_default = 1
_thread = local()


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread: on cores that other work shares, threads that wait for each other are far slower."""
    with _threads(1):
        yield


@contextmanager
def idle_threads() -> Iterator[None]:
    """Torch on a thread for each core that is idle now, up to those it may use here and to `MOST_THREADS`.

    It is for a level or a picture, as other work may begin. A second computation of this process that asks meanwhile,
    one inside this one too, has one thread.
    """
    mine = _allowed() > 1 and _idle.acquire(blocking=False)
    try:
        with _threads(min(_allowed(), MOST_THREADS, idle_cores()) if mine else 1):
            yield
    finally:
        if mine:
            _idle.release()


def idle_cores() -> int:
    """Cores on which no other process runs at this moment, at least 1; half of all where the system does not tell.

    Threads of this process do not count as others' work: those that have computed spin for a while.
    """
    cores = os.cpu_count() or 1
    try:
        running = int(LOAD.read_text().split()[3].split("/")[0])
        own = sum(_runs(thread) for thread in OWN_THREADS.iterdir())
        ours = len(os.sched_getaffinity(0))
    except (OSError, ValueError, IndexError, AttributeError):
        return max(1, cores // 2)
    return max(1, min(ours, _quota(), cores - max(0, running - own)))


def _quota() -> int:
    """Cores' worth of time that a container may use."""
    with suppress(OSError, ValueError):
        time, period = QUOTA.read_text().split()
        return int(time) // int(period)
    return sys.maxsize


def _runs(thread: Path) -> bool:
    try:
        return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "R"
    except (OSError, IndexError):  # it has ended
        return False


@contextmanager
def _threads(count: int) -> Iterator[None]:
    global _inside, _default  # noqa: PLW0603 - what they tell is the process's as well
    import torch

    before = _allowed()
    with _entering:
        if not _inside:
            _default = before
        _inside += 1
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        with _entering:
            _inside -= 1


def _allowed() -> int:
    """Threads that torch may use in this thread.

    Setting their number sets that of threads that begin to use torch later, too. One that began while another had some
    for a moment gets what the process has otherwise.
    """
    global _default  # noqa: PLW0603
    import torch

    if not getattr(_thread, "seen", False):
        with _entering:
            if not _inside:
                _default = _of_a_new_thread()
        torch.set_num_threads(_default)
        _thread.seen = True
    return torch.get_num_threads()


def _of_a_new_thread() -> int:
    import torch

    found: list[int] = []
    asking = Thread(target=lambda: found.append(torch.get_num_threads()))
    asking.start()
    asking.join()
    return found[0]

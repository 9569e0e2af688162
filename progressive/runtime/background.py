"""Threads for long computing, which nobody waits for once the run is asked to stop."""

from __future__ import annotations

import asyncio
import atexit
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

LONGEST_EXIT_S = 10.0
"""How long a program that ends waits for what still computes."""

P = ParamSpec("P")
T = TypeVar("T")


class Background(Executor):
    """Does one job after the other in a thread of its own.

    Unlike those of `concurrent.futures` it does not keep the process: what computes for minutes, in native code that
    cannot be interrupted, must not keep a person, or systemd, waiting.

    As a context it waits for its jobs, unless it is left by an exception such as a cancellation.
    """

    def __init__(self) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="background", daemon=True)
        self._closed = False
        self.computes = False
        _started.add(self)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._closed:
            raise RuntimeError("this thread takes no jobs any more")
        future: Future[T] = Future()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        if not self._thread.ident:
            self._thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True
        while cancel_futures and not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job[0].cancel()
        self._jobs.put(None)
        if wait and self._thread.ident:
            self._thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)
        return None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            self.computes = True
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001, whoever waits for it is told
                self.computes = False
                future.set_exception(error)
            else:
                self.computes = False
                future.set_result(result)
            del job, future, work  # what they refer to may be large, and the next job may be long in coming


_started: WeakSet[Background] = WeakSet()


async def in_background(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """As `asyncio.to_thread`, for what may take long: the event loop does not wait for it to close."""
    background = Background()
    future = background.submit(work, *args, **kwargs)
    background.shutdown(wait=False)
    return await asyncio.wrap_future(future)


def _let_finish() -> None:
    """A thread in native code must not be left alone by a closing interpreter, which would abort; soon it asks whether
    anybody still wants what it computes. Programs of ours that cannot wait end without this."""
    deadline_s = time.monotonic() + LONGEST_EXIT_S
    while is_computing() and time.monotonic() < deadline_s:
        time.sleep(0.01)


atexit.register(_let_finish)


def is_computing() -> bool:
    """Whether something still computes that nobody waits for; a thread that waits for a job does not."""
    return any(background.computes for background in list(_started))

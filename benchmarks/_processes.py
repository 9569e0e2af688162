"""Senders and receivers in processes of their own that tell when something happened, and how much memory they take."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from progressive.errors import ProgressiveError
from progressive.runtime.threads import one_thread
from progressive.shell.cli import gentle_termination
from progressive.shell.display import Display, QuietDisplay
from receiver.reception import PhotoFinished, PictureShown
from receiver.run import ReceiverOptions, receive
from sender.events import PacketSent
from sender.options import SenderOptions
from sender.remote import stream_to_receivers

Kind = Literal["listening", "photo", "picture", "base", "finished", "failed", "gone"]
"""A receiver listens; a sender began a photo; a receiver showed a picture, one with the whole base, the last one of a
photo; a run failed; a process is gone."""

STOPPING_S = 20.0

_PRELOAD = ["progressive.codecs.rmpgc.codec", "progressive.metrics", "skimage.data", __name__]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that happened at `time_s` on the clock that all processes share; `says` is for people."""

    kind: Kind
    time_s: float
    says: str = ""


class _Telling(QuietDisplay):
    def __init__(self, tell: Callable[[Told], None]) -> None:
        self._tell = tell

    def note(self, text: str) -> None:
        if text.startswith("listening at "):
            self._tell(Told("listening", time.monotonic()))

    def observe(self, event: object) -> None:
        now = time.monotonic()
        match event:
            case PacketSent(sequence=0):
                self._tell(Told("photo", now))
            case PictureShown():
                self._tell(Told("base" if event.status.base_complete else "picture", now, event.name))
            case PhotoFinished():
                self._tell(Told("finished", now, event.name))


@dataclass(slots=True)
class Child:
    """A process that runs a sender or a receiver.

    Fields:
        told: what it told so far, in order.
    """

    process: Any
    told: list[Told] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        return bool(self.process.is_alive())

    @property
    def memory_bytes(self) -> int:
        """Resident memory; 0 once it is gone."""
        return resident_bytes(self.process.pid)

    def stop(self) -> None:
        """As SIGTERM stops the programs; what was received is kept."""
        self.process.terminate()
        self.process.join(STOPPING_S)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def start_sender(options: SenderOptions) -> Child:
    return _start(_send, options)


def start_receiver(options: ReceiverOptions) -> Child:
    return _start(_receive, options)


def resident_bytes(pid: int | Literal["self"]) -> int:
    """Resident memory of a process, as Linux tells it; 0 if there is no such process."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


def _start(work: Callable[[Any, Display], None], options: object) -> Child:
    processes: Any = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(_PRELOAD)
    near, far = processes.Pipe(duplex=False)
    child = Child(processes.Process(target=_run, args=(work, options, far), daemon=True))
    child.process.start()
    far.close()
    threading.Thread(target=_listen, args=(near, child), daemon=True).start()
    return child


def _listen(near: Connection, child: Child) -> None:
    with near, suppress(EOFError, OSError):
        while True:
            child.told.append(near.recv())
    child.told.append(Told("gone", time.monotonic()))


def _run(work: Callable[[Any, Display], None], options: object, parent: Connection) -> None:
    with suppress(KeyboardInterrupt, BrokenPipeError), gentle_termination(), one_thread():
        try:
            work(options, _Telling(parent.send))
        except ProgressiveError as error:
            parent.send(Told("failed", time.monotonic(), str(error)))


def _send(options: SenderOptions, display: Display) -> None:
    stream_to_receivers(options, display)


def _receive(options: ReceiverOptions, display: Display) -> None:
    receive(options, display)

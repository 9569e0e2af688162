"""A receiver in a process of its own, which tells its parent what it goes through."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from progressive.errors import ProgressiveError
from progressive.runtime.threads import one_thread
from progressive.shell.cli import gentle_termination
from progressive.shell.display import QuietDisplay
from receiver.events import SegmentReceived
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings

LEAVING_S = 10.0
"""A receiver that was asked to leave and has not written its last picture after so long is stopped."""

Told = Callable[[object], None]
"""Takes what a receiver tells: observations, and words as strings."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a receiver is.

    Fields:
        number: 1.., its identifier.
        address: that it listens at, `udp://HOST:PORT`.
        output: folder for its pictures.
        reference: file of the original, to measure the quality.
    """

    number: int
    address: str
    output: Path
    reference: Path


class _Telling(QuietDisplay):
    """Passes on what a display is told to another process."""

    def __init__(self, parent: Connection) -> None:
        self._parent = parent

    def observe(self, event: object) -> None:
        if not isinstance(event, SegmentReceived):
            self._parent.send(event)

    def summary(self, text: str) -> None:
        self._parent.send(text)


class ReceiverProcess:
    """A receiver from its start until it has all of the photo, is asked to leave, or fails."""

    def __init__(self, place: Place, told: Told, gone: Callable[[], None]) -> None:
        """Starts it.

        Args:
            place: where it is.
            told: called with everything it tells, in a thread of its own.
            gone: called in that thread once it is over.
        """
        processes: Any = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload(["progressive.codecs.rmpgc.codec", "progressive.metrics", __name__])
        near, far = processes.Pipe(duplex=False)
        self._process = processes.Process(target=_run, args=(place, far), daemon=True)
        self._process.start()
        far.close()
        self._listening = threading.Thread(target=self._listen, args=(near, told, gone), daemon=True)
        self._listening.start()

    def leave(self) -> None:
        """Asks it to write its last picture and go, and waits for that."""
        self._process.terminate()
        self._process.join(LEAVING_S)
        if self._process.is_alive():
            self._process.kill()
        self._listening.join()

    def _listen(self, near: Connection, told: Told, gone: Callable[[], None]) -> None:
        with near, suppress(EOFError, OSError):
            while True:
                told(near.recv())
        self._process.join()
        gone()


def _run(place: Place, parent: Connection) -> None:
    settings = ReceiverSettings(receiver_id=place.number)
    options = ReceiverOptions(place.address, settings, place.output, place.reference, device="cpu")
    with suppress(KeyboardInterrupt, BrokenPipeError), gentle_termination(), one_thread():
        try:
            receive(options, _Telling(parent))
        except ProgressiveError as error:
            parent.send(str(error))

"""Frames of a sequence, known beforehand or live: the newest wins."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from progressive.codec import Photo
from progressive.wire.about import About


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a sequence.

    Fields:
        name: unique in the sequence.
        time_s: when it is there, in seconds since the start.
        read: makes the photo, [H, W, 3]; raises UsageError if it cannot be read.
        about: tells what is known of it beside its pixels.
    """

    name: str
    time_s: float
    read: Callable[[], Photo]
    about: Callable[[], About] = About


class Frames(Protocol):
    """A sequence: the newest frame wins.

    Fields:
        passed_over: frames that a newer one replaced before anyone asked for them.
    """

    passed_over: int

    @property
    def damage(self) -> str:
        """What of the source could not be decoded so far, in a line; empty if there is no such thing."""
        ...

    def next(self, now_s: float) -> Frame | None:
        """The newest frame that is there at `now_s`; if it was handed out already the one after, which may be yet to
        come; None after the last."""
        ...

    def close(self) -> None:
        """Gives up: a `next` that another thread waits for returns, later ones return None. May be called twice."""
        ...


class TimedFrames:
    """Frames whose times are known beforehand, in the order of time."""

    def __init__(self, frames: Iterable[Frame], damage: Callable[[], str] = str) -> None:
        self.passed_over = 0
        self._frames, self._damage = iter(frames), damage
        self._coming = next(self._frames, None)

    @property
    def damage(self) -> str:
        return self._damage()

    def next(self, now_s: float) -> Frame | None:
        newest, self._coming = self._coming, next(self._frames, None)
        while newest is not None and self._coming is not None and self._coming.time_s <= now_s:
            newest, self._coming = self._coming, next(self._frames, None)
            self.passed_over += 1
        return newest

    def close(self) -> None:
        self._frames, self._coming = iter(()), None


class LiveFrames:
    """Frames of a camera, read in a thread: only the newest is kept."""

    def __init__(self, photos: Iterable[Photo], clock: Callable[[], float], damage: Callable[[], str] = str) -> None:
        """
        Args:
            photos: blocks until the next one is there; `next` raises what it raises.
            clock: seconds since the start of the sequence, in real time.
            damage: what could not be decoded.
        """
        self.passed_over = 0
        self._photos, self._clock, self._damage = photos, clock, damage
        self._changed = threading.Condition()
        self._newest: Frame | None = None
        self._count = 0
        self._over = False
        self._error: Exception | None = None
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def damage(self) -> str:
        return self._damage()

    def next(self, now_s: float) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._over)
            newest, self._newest = self._newest, None
            if newest is None and self._error is not None:
                raise self._error
            return newest

    def close(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _read(self) -> None:
        try:
            for photo in self._photos:
                with self._changed:
                    if self._over:
                        return
                    self.passed_over += self._newest is not None
                    self._count += 1
                    self._newest = Frame(f"{self._count:05d}", self._clock(), lambda photo=photo: photo)  # type: ignore[misc]
                    self._changed.notify_all()
        except Exception as error:  # noqa: BLE001, whoever waits for a frame is told
            self._error = error
        finally:
            LiveFrames.close(self)

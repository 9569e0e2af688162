"""Photos that a program hands over, where others name files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from PIL import Image

from progressive.codec import Photo
from progressive.photos.arrays import as_photo
from sender.frame import Frame, LiveFrames


@dataclass(frozen=True, slots=True, eq=False)
class HandedPhoto:
    """One photo, uint8 [H, W, 3], by this name."""

    name: str
    photo: Photo

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class HandedFrames:
    """A sequence.

    Fields:
        frames: what `as_photo` takes, one after the other.
        newest: all are taken as they come, and of those that come while one is sent only the newest is sent; otherwise
            each is asked for once the one before has been sent.
    """

    frames: Iterable[object] | AsyncIterable[object]
    newest: bool

    def __str__(self) -> str:
        return "frames of a program" + ", the newest" * self.newest


Given = str | HandedPhoto | HandedFrames | None
"""Where photos come from: files by their names, or a program; None stands for the sample photo."""


def frames_of(value: object) -> Iterable[object] | AsyncIterable[object] | None:
    """The value as a sequence; None if it is a single photo, or nothing that can be sent."""
    if hasattr(value, "shape") or isinstance(value, Image.Image | str | bytes):
        return None
    return value if isinstance(value, Iterable | AsyncIterable) else None


def open_handed(handed: HandedFrames, clock: Callable[[], float]) -> AskedFrames | NewestFrames:
    """The frames, asked for in the running event loop if they come asynchronously; `clock`: seconds since the start."""
    pulled = _Pulled(handed.frames)
    return NewestFrames(pulled, clock) if handed.newest else AskedFrames(pulled, clock)


class AskedFrames:
    """Each frame is there when it is asked for."""

    damage = ""

    def __init__(self, photos: _Pulled, clock: Callable[[], float]) -> None:
        self.passed_over = 0
        self._photos, self._clock, self._count = photos, clock, 0

    def next(self, now_s: float) -> Frame | None:
        photo = next(self._photos, None)
        self._count += 1
        return None if photo is None else Frame(f"{self._count:05d}", self._clock(), lambda: photo)

    def close(self) -> None:
        self._photos.close()


class NewestFrames(LiveFrames):
    """As of a camera."""

    def __init__(self, photos: _Pulled, clock: Callable[[], float]) -> None:
        self._pulled = photos
        super().__init__(photos, clock)

    def close(self) -> None:
        super().close()
        self._pulled.close()


class _Pulled(Iterator[Photo]):
    """What comes of an iterable, for another thread than that of the event loop; `close` ends its wait."""

    def __init__(self, source: Iterable[object] | AsyncIterable[object]) -> None:
        self._loop = asyncio.get_running_loop()
        self._later = source.__aiter__() if isinstance(source, AsyncIterable) else None
        self._now = None if isinstance(source, AsyncIterable) else iter(source)
        self._waiting: Future[object] | None = None
        self._closed = False

    def __next__(self) -> Photo:
        item = _END if self._closed else next(self._now, _END) if self._now is not None else self._wait()
        if item is _END:
            raise StopIteration
        return as_photo(item)

    def close(self) -> None:
        self._closed = True
        if self._waiting is not None:
            self._waiting.cancel()

    def _wait(self) -> object:
        self._waiting = asyncio.run_coroutine_threadsafe(self._next_later(), self._loop)
        if self._closed:
            self._waiting.cancel()
        try:
            return self._waiting.result()
        except CancelledError:
            return _END

    async def _next_later(self) -> object:
        later: Any = self._later
        return await anext(later, _END)


_END = object()

"""Frames for another program, such as ffmpeg: every picture as it comes, through a pipe."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from progressive.codec import Photo
from progressive.errors import RunError, UsageError
from progressive.files import is_standard, output_name, reason
from progressive.photos import png_bytes
from progressive.shell.display import Display, Displays, QuietDisplay
from progressive.stream import MAX_PIXELS, MAX_SIDE
from receiver.reception import PictureShown

FORMATS = ("rawvideo", "png")

LAST_FRAME_S = 2.0
"""How long, at the end, the last frame may take to be read."""

Size = tuple[int, int]
"""Width and height, in pixels."""


def parse_size_of_frames(text: str) -> Size:
    """Parses `WIDTHxHEIGHT`; raises UsageError for anything else, and beyond the limits of photos."""
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 0 < int(side) <= MAX_SIDE for side in sides):
        raise UsageError(f"{text!r} is no size of frames: write WIDTHxHEIGHT, such as 768x512")
    width, height = int(sides[0]), int(sides[1])
    if width * height > MAX_PIXELS:
        raise UsageError(f"frames of {text} are too large: at most {MAX_PIXELS // 10**6} megapixels")
    return width, height


@contextmanager
def with_frames(
    display: Display, to: str | None, frame_format: str, size: str | None, *, stays: bool = False
) -> Iterator[Display]:
    """The display, and with it frames to a file, a named pipe, or standard output (`-`), where nothing else goes then.

    Once frames cannot be written, such as when their reader has gone, RunError is raised into the run, or, if it stays,
    it is said once, and the run goes on without.

    Raises UsageError for a format or a size that there is not.
    """
    if frame_format not in FORMATS:
        raise UsageError(f"unknown format of frames {frame_format!r}: use {' or '.join(FORMATS)}")
    frame_size = None if size is None else parse_size_of_frames(size)
    if to is None:
        if size is not None:
            raise UsageError("--frame-size is for frames that go somewhere: give --frames-to too")
        yield display
        return
    fail = (lambda why: display.note(f"{why}: going on without frames")) if stays else _end_run
    if not is_standard(to):
        file = Path(to)
        yield Displays([display, _Pipe(lambda: _opened(file), to, frame_format, frame_size, fail)])
        return
    with _standard_output() as stream:
        yield Displays([display, _Pipe(lambda: stream, output_name(to), frame_format, frame_size, fail)])


def _end_run(why: str) -> None:
    raise RunError(why)


def _opened(file: Path) -> BinaryIO:
    """Waits, if it is a named pipe, until somebody reads it."""
    return file.open("wb", buffering=0)


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """What was standard output; whoever writes there meanwhile writes to standard error."""
    if os.isatty(1):
        raise UsageError("standard output is a terminal, where frames are no use: pipe it into a program")
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with os.fdopen(os.dup(kept), "wb", buffering=0) as stream:
            yield stream
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


class _Pipe(QuietDisplay):
    """Writes the newest picture in a thread of its own: a reader that is slow misses some, and keeps nobody waiting."""

    def __init__(
        self,
        open_: Callable[[], BinaryIO],
        name: str,
        frame_format: str,
        size: Size | None,
        fail: Callable[[str], None],
    ) -> None:
        self._fail = fail
        self._open, self._name, self._raw, self._size = open_, name, frame_format == "rawvideo", size
        self._changed = threading.Condition()
        self._newest: Photo | None = None
        self._over = False
        self._failure, self._told = "", False
        self._thread = threading.Thread(target=self._write_all, name="frames", daemon=True)

    def __enter__(self) -> _Pipe:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join(LAST_FRAME_S)

    def observe(self, event: object) -> None:
        if self._failure and not self._told:
            self._told = True
            self._fail(self._failure)
        if isinstance(event, PictureShown) and event.picture is not None:
            with self._changed:
                self._newest = event.picture
                self._changed.notify_all()

    def _write_all(self) -> None:
        try:
            with self._open() as stream:
                while (picture := self._next()) is not None:
                    rest = memoryview(self._frame(picture))
                    while rest:
                        rest = rest[stream.write(rest) :]
        except BrokenPipeError:
            self._failure = f"nobody reads the frames at {self._name} any more"
        except OSError as error:
            self._failure = f"cannot write frames to {self._name}: {reason(error)}"

    def _next(self) -> Photo | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._over)
            picture, self._newest = self._newest, None
            return picture

    def _frame(self, picture: Photo) -> bytes:
        """Of raw video all frames have one size, that of the first unless another was asked for."""
        height, width = picture.shape[:2]
        if self._raw and self._size is None:
            self._size = width, height
        if self._size not in {None, (width, height)}:
            fitted = ImageOps.pad(Image.fromarray(picture), self._size, color=0)
            picture = np.asarray(fitted)
        return picture.tobytes() if self._raw else png_bytes(picture)

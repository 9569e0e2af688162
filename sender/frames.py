"""Where the frames of a sequence come from: photos at equal distances in time, a video file, a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos.colours import Tell
from progressive.stream import MAX_PIXELS
from sender.frame import Frame, Frames, LiveFrames, TimedFrames
from sender.handed import Given, HandedFrames, HandedPhoto, open_handed
from sender.prepare import Source, find_sources

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".ogv", ".3gp")

ADVICE = "give another copy, or encode it anew"


def is_sequence(source: Given, every_s: float | None) -> bool:
    """Whether a source is sent frame after frame rather than photo after photo."""
    if isinstance(source, HandedPhoto | HandedFrames):
        return isinstance(source, HandedFrames)
    return every_s is not None or is_video(source) or is_camera(source)


def open_frames(
    source: Given,
    every_s: float | None,
    clock: Callable[[], float],
    tell: Tell | None = None,
    *,
    duty_cycle: float | None = None,
) -> Frames:
    """The frames of a sequence.

    Args:
        source: photo, folder or glob; a video file; a camera; frames that a program hands over.
        every_s: how far photos come apart, in seconds; None for what has times of its own.
        clock: seconds since the start, for a camera.
        tell: takes what a person should know about how photos are read.

    `duty_cycle` of the sender has to be None.

    Raises UsageError if the source cannot be read, is given two times, or is None.
    """
    if duty_cycle is not None:
        raise UsageError("a duty cycle is kept photo by photo, not in sequences: leave --every or --duty-cycle out")
    if isinstance(source, HandedFrames):
        return open_handed(source, clock)
    if source is None:
        raise UsageError("--every is for photos that come one after the other: name a folder, or leave --every out")
    if isinstance(source, HandedPhoto) or not (is_video(source) or is_camera(source)):
        return photo_frames(find_sources(source, tell), every_s or 0.0)
    if every_s is not None:
        raise UsageError(f"{source} has times of its own: leave --every out")
    return video_frames(source) if is_video(source) else camera_frames(source, clock)


def photo_frames(sources: Sequence[Source], every_s: float) -> TimedFrames:
    """Photos that come so many seconds apart."""
    return TimedFrames(Frame(source.name, i * every_s, source.read, source.about) for i, source in enumerate(sources))


def is_video(source: str | None) -> bool:
    """Whether a source is a video file, by its suffix."""
    return source is not None and Path(source).suffix.lower() in VIDEO_SUFFIXES and not is_camera(source)


def is_camera(source: Given) -> bool:
    """Whether a source is live: a device of characters, as cameras are, or an address."""
    return isinstance(source, str) and ("://" in source or Path(source).is_char_device())


def video_frames(path: str) -> TimedFrames:
    """The frames of a video file, at their times; raises UsageError if it cannot be read."""
    pictures = Pictures(_open(path), path)
    stem = Path(path).stem

    def frames() -> Iterator[Frame]:
        start_s = None
        for number, picture in enumerate(pictures, start=1):
            time_s = float(picture.time or 0.0)
            start_s = time_s if start_s is None else start_s
            yield Frame(f"{stem}_{number:05d}", time_s - start_s, lambda picture=picture: _photo(picture))  # type: ignore[misc]

    return TimedFrames(frames(), lambda: pictures.damage)


def camera_frames(source: str, clock: Callable[[], float]) -> LiveFrames:
    """The frames of a camera, a device such as /dev/video0 or an address such as rtsp://HOST/PATH."""
    pictures = Pictures(_open(source, "v4l2" if source.startswith("/dev/video") else None), source)
    return LiveFrames(map(_photo, pictures), clock, lambda: pictures.damage)


def is_live(source: Given) -> bool:
    """Whether frames go by whether or not anybody asks for them."""
    return source.newest if isinstance(source, HandedFrames) else is_camera(source)


def frames_in_words(count: int) -> str:
    """Such as `1 frame` or `2 frames`."""
    return f"{count} frame{'' if count == 1 else 's'}"


class Pictures:
    """The decoded pictures of a video or a camera; damaged ones are left out.

    Raises UsageError at the end if there was not one, and at one that is too large.
    """

    def __init__(self, container: Any, source: str) -> None:
        self._container, self._source = container, source
        self._damaged = 0

    @property
    def damage(self) -> str:
        """What was left out so far, in a line; empty for nothing."""
        left_out = frames_in_words(self._damaged)
        return f"cannot decode {left_out} of {self._source}: it is damaged" if self._damaged else ""

    def __iter__(self) -> Iterator[Any]:
        whole = 0
        for picture in self._decoded():
            if picture.is_corrupt:
                self._damaged += 1
                continue
            if picture.width * picture.height > MAX_PIXELS:
                raise UsageError(
                    f"cannot read {self._source}: it has more than {MAX_PIXELS // 10**6} megapixels a frame"
                )
            whole += 1
            yield picture
        if not whole:
            raise UsageError(f"cannot read {self._source}: not one frame of it can be decoded: {ADVICE}")

    def _decoded(self) -> Iterator[Any]:
        import av

        packets = self._container.demux(video=0)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                yield from packet.decode()
            except av.FFmpegError:  # of a packet, after which others come, or of the file, after which none does
                self._damaged += 1


def _open(source: str, container_format: str | None = None) -> Any:
    try:
        import av
    except ImportError:
        raise UsageError("videos and cameras need PyAV: install progressive[video]") from None
    try:
        container = av.open(source, format=container_format)
    except (av.InvalidDataError, EOFError) as error:
        raise UsageError(f"cannot read {source}: it is no video, damaged or cut short: {ADVICE}") from error
    except (av.FFmpegError, OSError) as error:
        raise UsageError(f"cannot read {source}: {getattr(error, 'strerror', None) or error}") from error
    if not container.streams.video:
        container.close()
        raise UsageError(f"cannot read {source}: there is no video in it")
    return container


def _photo(picture: Any) -> Photo:
    """[H, W, 3], turned as the camera was held."""
    photo = picture.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(photo, round(getattr(picture, "rotation", 0) / 90)))

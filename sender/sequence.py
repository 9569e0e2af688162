"""Frame after frame under a deadline for each: the newest wins, and only what changed is sent."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo, ProgressiveCodec
from progressive.errors import RunError, UsageError
from progressive.packing.packed import PackedStream
from progressive.photos import resized
from progressive.stream import LayeredStream
from progressive.units import counted, format_time
from progressive.wire.placement import CANVASES, Placement
from sender.changes import Region, block_errors, changed_region
from sender.frame import Frame, Frames
from sender.frames import frames_in_words
from sender.prepare import PreparedPhoto, base_seconds, encode_part, prepare_photo
from sender.settings import SenderSettings

LATE_SHARE = 0.1
"""A frame with less than this share of its deadline left is late: there would be time for its base at most."""


ROOM_TO_REFINE = 2
"""A deadline of this many times what it takes to code a frame and to send its base would do."""

REFRESH_S = 20.0
"""A scene in which nothing changes is sent whole again after so long: for receivers that came meanwhile, and so that
the others, who wait half a minute for the next frame, know that the sender is there."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """What the receivers are known to show.

    Fields:
        stream_id: of the latest stream whose picture it is.
        size: (height, width) of the frames before any downscaling.
        picture: [H, W, 3].
        attainable: mean squared error of each block once all that was coded for it has arrived.
        age: streams sent since.
    """

    stream_id: int
    size: tuple[int, int]
    picture: Photo
    attainable: NDArray[np.float64]
    age: int = 0


@dataclass(frozen=True, slots=True)
class Turn:
    """A frame to send now.

    Fields:
        prepared: its stream, whole or the part that changed.
        deadline_s: seconds left for it.
        original_size: (height, width) of the frame before any downscaling.
    """

    prepared: PreparedPhoto
    deadline_s: float
    original_size: tuple[int, int]


class FrameSequence:
    """Chooses and prepares the frames of a sequence.

        next ──> Turn ──> a session sends it ──> sent, with what the receivers are known to have ──> next ..

    Fields:
        sent_count, unchanged, late: frames that were sent, that the receivers show already, that were dropped as late.
        unreadable: names of frames that could not be read.
        share_sent: of the area of the frames sent, how much was sent, 0..1.
    """

    def __init__(
        self,
        frames: Frames,
        codec: ProgressiveCodec,
        settings: SenderSettings,
        *,
        full_size: bool,
        context: str | None,
        with_metadata: bool = False,
        clock: Callable[[], float],
        wait_until: Callable[[float], object],
    ) -> None:
        """
        Args:
            frames: where they come from.
            codec: to encode and, for what receivers show, to decode with.
            settings: of each stream; the deadline counts from when a frame is there.
            full_size: never downscale.
            context: what the pictures are for; None leaves the order to the codec.
            with_metadata: receivers are told what is known of a frame.
            clock: seconds since the start.
            wait_until: returns at that reading of the clock.
        """
        self.sent_count = self.unchanged = self.late = 0
        self.unreadable: list[str] = []
        self._frames, self._codec, self._settings = frames, codec, settings
        self._full_size, self._context, self._with_metadata = full_size, context, with_metadata
        self._clock, self._wait_until = clock, wait_until
        self._canvas: Canvas | None = None
        self._factors: dict[tuple[int, ...], float] = {}
        self._pixels = self._pixels_sent = 0
        self._latest_s = self._needed_s = 0.0

    @property
    def share_sent(self) -> float:
        return self._pixels_sent / self._pixels if self._pixels else 0.0

    def close(self) -> None:
        """Gives up: a `next` that another thread waits for returns, later ones return None. May be called twice."""
        self._frames.close()

    def next(self) -> Turn | None:
        """The next frame to send, once it is there; None after the last.

        Raises UsageError if the source fails, or the first frame cannot be sent within the deadline.
        """
        while (frame := self._frames.next(self._clock())) is not None:
            if frame.time_s > self._clock():
                self._wait_until(frame.time_s)
            if self._left_s(frame) < LATE_SHARE * self._settings.deadline_s:
                self.late += 1
                continue
            begun_s = self._clock()
            try:
                photo = frame.read()
            except UsageError:
                self.unreadable.append(frame.name)
                continue
            try:
                prepared = self._prepare(frame.name, photo)
            except UsageError:
                if not self.sent_count:
                    raise
                self.late += 1
                continue
            left_s = self._left_s(frame)
            if prepared is None:
                self.unchanged += 1
                continue
            base_s = base_seconds(prepared.packed, self._settings)
            self._needed_s = max(self._needed_s, self._clock() - begun_s + base_s)
            if left_s < max(base_s, LATE_SHARE * self._settings.deadline_s):
                self.late += 1
            else:
                if self._with_metadata:
                    prepared = replace(prepared, about=frame.about())
                return Turn(prepared, left_s, photo.shape[:2])
        return None

    def sent(self, turn: Turn, stream_id: int, stream: LayeredStream, known_segments: Collection[int]) -> None:
        """Notes that a frame was sent.

        Args:
            turn: the frame.
            stream_id: of its stream.
            stream: what was sent.
            known_segments: of it, those that every receiver is known to have.
        """
        prepared = turn.prepared
        self.sent_count += 1
        self._latest_s = self._clock()
        self._pixels += prepared.photo.shape[0] * prepared.photo.shape[1]
        self._pixels_sent += stream.header.width * stream.header.height
        before = self._canvas
        self._canvas = None if before is None else replace(before, age=before.age + 1)
        known = self._decode(stream, known_segments) if known_segments else None
        if known is None:
            return
        complete = len(set(known_segments)) == len(stream.segments)
        best = known if complete else self._decode(stream, [segment.id for segment in stream.segments])
        region = _region_of(prepared)
        errors = block_errors(region.of(prepared.photo), known if best is None else best)
        if prepared.placement is None or before is None:
            self._canvas = Canvas(stream_id, turn.original_size, known, errors)
        else:
            attainable = before.attainable.copy()
            attainable[region.blocks] = errors
            picture = prepared.placement.paste(before.picture, known)
            self._canvas = Canvas(stream_id, turn.original_size, picture, attainable)

    def in_words(self) -> str:
        """How the sequence went, in one line."""
        dropped = self._frames.passed_over + self.late
        sent = frames_in_words(self.sent_count)
        words = f"{sent} sent, {dropped} dropped for newer ones or as late, {self.unchanged} unchanged"
        return f"{words}, {self.share_sent:.0%} of the area of those sent"

    def check(self) -> None:
        """Raises RunError if no frame was sent, some could not be read, or some of a video could not be decoded."""
        if self.unreadable:
            names = ", ".join(self.unreadable)
            raise RunError(f"{frames_in_words(len(self.unreadable))} could not be read: {names}")
        if self._frames.damage:
            raise RunError(self._frames.damage)
        if self.late and not self.sent_count:
            deadline = format_time(self._settings.deadline_s)
            raise RunError(
                "not one frame was sent: to code one and to send its base takes "
                f"{format_time(self._needed_s, digits=2)}, too long for a deadline of {deadline}: "
                f"use --deadline {ceil(ROOM_TO_REFINE * self._needed_s)}s or more, or smaller frames"
            )

    def _left_s(self, frame: Frame) -> float:
        return frame.time_s + self._settings.deadline_s - self._clock()

    def _prepare(self, name: str, photo: Photo) -> PreparedPhoto | None:
        """The stream of the frame or of the part that changed; None if nothing has."""
        canvas = self._canvas
        if canvas is None or canvas.size != photo.shape[:2] or canvas.age >= CANVASES - 1:
            return self._prepare_whole(name, photo)
        scaled = resized(photo, canvas.picture.shape)
        region = changed_region(scaled, canvas.picture, canvas.attainable)
        if region is None:
            return None if self._clock() - self._latest_s < REFRESH_S else self._prepare_whole(name, photo)
        if (region.height, region.width) == scaled.shape[:2]:
            return self._prepare_whole(name, photo)
        stream = encode_part(region.of(scaled), self._codec, self._settings, context=self._context)
        height, width = scaled.shape[:2]
        placement = Placement(canvas.stream_id, width, height, region.left, region.top)
        segments = counted(len(stream.segments), "segment")
        note = f"{name}: {region.width}x{region.height} of {width}x{height} changed, {segments}"
        packed = PackedStream.of(stream, self._settings.payload_size, placement, short=self._settings.short)
        return PreparedPhoto(name, photo, scaled, packed, note)

    def _prepare_whole(self, name: str, photo: Photo) -> PreparedPhoto:
        """The whole frame; sizes are tried for the first of its shape, and the others are coded like that."""
        prepared = prepare_photo(
            name,
            photo,
            self._codec,
            self._settings,
            full_size=self._full_size,
            context=self._context,
            factor=self._factors.get(photo.shape),
        )
        if not self._codec.traits.one_rate:
            self._factors = {photo.shape: photo.shape[0] / prepared.photo.shape[0]}
        return replace(prepared, expected=None)

    def _decode(self, stream: LayeredStream, segments: Collection[int]) -> Photo | None:
        """The picture that these segments give; None unless the whole base is among them."""
        decoder = self._codec.decoder(stream.header)
        for segment in stream.segments:
            if segment.id in segments:
                decoder.push(segment.id, segment.payload)
        return decoder.picture() if decoder.status.base_complete else None


def _region_of(prepared: PreparedPhoto) -> Region:
    """The part of the frame that its stream holds."""
    height, width = prepared.photo.shape[:2]
    placement, header = prepared.placement, prepared.stream.header
    if placement is None:
        return Region(0, 0, width, height)
    return Region(placement.left, placement.top, header.width, header.height)

"""Segments become ever better pictures: at once, or off the event loop while more segments arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from progressive import metrics
from progressive.codec import FAITHFUL, DecoderStatus, Photo, ProgressiveDecoder
from progressive.looks import picture_in
from progressive.output.folder import OutputFolder
from progressive.output.refinement import Refinement
from progressive.photos import resized
from progressive.runtime.background import Background
from progressive.runtime.stopping import StoppedError
from progressive.wire.expected_quality import Expectation

SegmentPayload = tuple[int, bytes]
"""A segment's id and its payload."""

AT_ONCE = 64
"""Segments that are decoded together: enough for a decoder to save by it, few enough to stop soon."""


class Refiner:
    """The picture of one stream.

    segments -> decoder.push_all -> picture -> measured against the original -> output folder

    Fields:
        damaged: segments that the decoder refused.
        latest: the last refinement; None before the first.
        status: how far the decoder was when it was made.
        path: of its file; None before the first.
        expectation: what the sender expects of pictures; None until it has said so; may be set from another thread.
        picture: the one that it is of, uint8 [H, W, 3]; None before the first.
        took_s: how long it took to decode, measure and store, in seconds.
        stopped: nothing more is decoded, and what is being decoded is not shown; may be set from another thread.
    """

    def __init__(
        self,
        decoder: ProgressiveDecoder,
        folder: OutputFolder,
        elapsed_s: Callable[[], float],
        *,
        original: Photo | None = None,
        frame: Callable[[str, Photo], Photo] | None = None,
        looks: Sequence[str] = (FAITHFUL,),
    ) -> None:
        """
        Args:
            decoder: fresh, of this stream.
            folder: where the pictures go.
            elapsed_s: the time since the first datagram, in seconds, asked once a picture is there.
            original: the photo, [H, W, 3]; a picture of another size is resized to it to be measured. None: nothing is.
            frame: makes the whole frame of the stream's picture in a look, [h, w, 3]; None if that is all.
            looks: of the pictures: the first is what is measured and kept, `further_looks` makes the others.
        """
        self.looks = tuple(looks)
        self.decoder = decoder
        self.folder = folder
        self.damaged = 0
        self.latest: Refinement | None = None
        self.status: DecoderStatus = decoder.status
        self.path: Path | None = None
        self.picture: Photo | None = None
        self.took_s = 0.0
        self.expectation: Expectation | None = None
        self.stopped = False
        self._shown: frozenset[int] = frozenset()
        self._elapsed_s = elapsed_s
        self._frame = frame
        self._original = original

    def refine(self, segments: Sequence[SegmentPayload], received_bytes: int) -> Refinement | None:
        """Takes segments and, if the picture changes, shows it: decoded, measured, written.

        Args:
            segments: new ones, in any order.
            received_bytes: all bytes of the stream's datagrams until now.
        """
        begun_s = time.perf_counter()
        changed = self._push(segments)
        if self.stopped or not changed:
            return None
        try:
            picture, status = self._picture(self.looks[0]), self.decoder.status
        except StoppedError:
            return None
        shown_s = self._elapsed_s()
        if self.stopped:
            return None
        expected = self._expected(self.decoder.shown)
        figures = (*self._measure(picture), expected, self._measured_as_coded(picture))
        refinement = Refinement(shown_s, received_bytes, status.layer, *figures)
        path = self.folder.add_refinement(picture, refinement)
        if path is None:
            return None
        self.latest, self.status, self.path, self.picture = refinement, status, path, picture
        self._shown = frozenset(self.decoder.shown)
        self.took_s = time.perf_counter() - begun_s
        return self.latest

    def judge(self) -> Refinement | None:
        """The last refinement with what the sender expects of it, if that was not known when it was made; None if there
        is nothing to add. Not while another is being made."""
        if self.latest is None or self.latest.expected_psnr is not None or self.expectation is None:
            return None
        self.latest = replace(self.latest, expected_psnr=self._expected(self._shown))
        return self.latest

    def further_looks(self) -> list[tuple[str, Path]]:
        """Makes and writes the latest picture in the other looks; each look and the file of its picture."""
        made: list[tuple[str, Path]] = []
        with suppress(StoppedError):
            for look in self.looks[1:]:
                path = self.folder.add_look(self._picture(look), look)
                made += [(look, path)] if path else []
        return made

    def _picture(self, look: str) -> Photo:
        picture = picture_in(self.decoder, look, stop=lambda: self.stopped)
        return picture if self._frame is None else self._frame(look, picture)

    def _push(self, segments: Sequence[SegmentPayload]) -> bool:
        """Whether the picture will change."""
        changed = False
        for first in range(0, len(segments), AT_ONCE):
            if self.stopped:
                break
            pushed = self.decoder.push_all(segments[first : first + AT_ONCE])
            self.damaged += pushed.damaged
            changed |= pushed.changed
        return changed

    def _measured_as_coded(self, picture: Photo) -> float | None:
        """PSNR at the size that was coded, if that is not the original's."""
        if self._original is None or picture.shape == self._original.shape:
            return None
        return metrics.psnr(picture, resized(self._original, picture.shape))

    def _expected(self, shown: Iterable[int]) -> float | None:
        """What the sender expects of a picture of these segments, in dB."""
        return None if self.expectation is None else round(self.expectation.psnr(shown), 2)

    def _measure(self, picture: Photo) -> tuple[float | None, float | None]:
        if self._original is None:
            return None, None
        picture = resized(picture, self._original.shape)
        return metrics.psnr(picture, self._original), metrics.ms_ssim(picture, self._original)


class RefinementLoop:
    """Runs a refiner in a worker thread: one picture serves every segment that came since the last one was begun.

    At most one picture is in the making, so that a slow decoder shows fewer pictures rather than late ones.
    """

    def __init__(
        self,
        refiner: Refiner,
        worker: Background,
        on_picture: Callable[[Refinement], None],
        on_looks: Callable[[list[tuple[str, Path]]], None] | None = None,
    ) -> None:
        """
        Args:
            refiner: not used by anyone else while the loop runs.
            worker: where pictures are made.
            on_picture: called on the event loop with each refinement.
            on_looks: called there with what `Refiner.further_looks` made of it, if anything.
        """
        self.refiner = refiner
        self._worker = worker
        self._on_picture, self._on_looks = on_picture, on_looks
        self._waiting: list[SegmentPayload] = []
        self._received_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._making = False

    @property
    def behind(self) -> bool:
        """Whether a segment pushed is not part of the picture yet."""
        return self._making or bool(self._waiting)

    def push(self, segment: SegmentPayload, received_bytes: int) -> None:
        """Takes a segment and returns at once; raises what making an earlier picture raised."""
        if self.refiner.stopped:
            return
        self._waiting.append(segment)
        self._received_bytes = received_bytes
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        if self._task is None:
            self._task = asyncio.create_task(self._refine_all())

    async def drain(self) -> None:
        """Waits until every segment pushed is part of the picture; raises what making a picture raised."""
        if self._task is not None:
            await asyncio.wait([self._task])
            if not self._task.cancelled():
                self._task.result()

    def cut(self) -> None:
        """What is not decoded yet stays so, and what is being decoded is not waited for."""
        self.refiner.stopped = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _refine_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            segments, self._waiting, self._making = self._waiting, [], True
            try:
                picture = await loop.run_in_executor(self._worker, self.refiner.refine, segments, self._received_bytes)
            finally:
                self._making = False
            if picture is None:
                continue
            self._on_picture(picture)
            if self._on_looks is not None and self.refiner.looks[1:]:
                self._on_looks(await loop.run_in_executor(self._worker, self.refiner.further_looks))


def warm_up_metrics() -> None:
    """Loads what measuring needs, which takes a second or two, before the first picture waits for it."""
    grey = np.zeros((161, 161, 3), np.uint8)
    metrics.ms_ssim(grey, grey)

"""One photo being received: from the session's events to pictures, figures and an output folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from progressive.codec import FAITHFUL, DecoderStatus, Photo
from progressive.errors import RunError
from progressive.looks import prepared_look
from progressive.models import codec_of
from progressive.output.folder import OutputFolder
from progressive.output.refinement import Refinement
from progressive.runtime.background import Background
from progressive.shell.display import Display
from progressive.stream import StreamHeader
from progressive.wire.about import About
from progressive.wire.expected_quality import Expectation
from receiver.display import Figures, PhotoView, closing_words
from receiver.refinement import RefinementLoop, Refiner, SegmentPayload


@dataclass(frozen=True, slots=True)
class PhotoStarted:
    """The stream that has just started is shown as the photo of this name, in these looks, the main one first."""

    name: str
    looks: tuple[str, ...] = (FAITHFUL,)


@dataclass(frozen=True, slots=True)
class PhotoDescribed:
    """What the sender says of the photo of this name."""

    name: str
    about: About


@dataclass(frozen=True, slots=True)
class PictureShown:
    """A picture of a photo, better than the one before.

    Fields:
        name: of the photo.
        path: of the picture's file, if the run writes files.
        refinement: what it took to show it, and its quality.
        status: how far the decoder was.
        took_s: how long it took to make, in seconds.
        picture: uint8 [H, W, 3].
    """

    name: str
    path: Path
    refinement: Refinement
    status: DecoderStatus
    took_s: float
    picture: Photo | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PictureJudged:
    """What the sender expects of the latest picture of a photo came after it was shown."""

    name: str
    refinement: Refinement


@dataclass(frozen=True, slots=True)
class LookShown:
    """The latest picture of a photo is there in another look, too. Fields: name: of the photo; path: of its file."""

    name: str
    look: str
    path: Path


@dataclass(frozen=True, slots=True)
class PhotoFinished:
    """The last picture of a photo was shown; these packets came, were lost, were restored. Its files, if there are any,
    are in the folder now."""

    name: str
    received: int
    lost: int
    recovered: int
    bytes: int
    folder: Path | None = None


class Reception:
    """Follows one stream.

        segments -> refiner (when asked to, or in a worker thread) -> pictures in the folder, figures on the display

    Fields:
        name: of the photo, for people.
        refiner: the picture and what was measured of it.
        figures: tells what has arrived of the stream.
        about: what the sender says of the photo.
    """

    def __init__(
        self,
        header: StreamHeader,
        name: str,
        folder: OutputFolder,
        display: Display,
        *,
        elapsed_s: Callable[[], float],
        figures: Callable[[], Figures],
        original: Photo | None = None,
        device: str = "cpu",
        frame: Callable[[str, Photo], Photo] | None = None,
        looks: Sequence[str] = (FAITHFUL,),
        one_of_several: bool = False,
        worker: Background | None = None,
    ) -> None:
        """
        Args:
            header: of the stream; raises BitstreamError if no codec here decodes it.
            name: of the photo, for people.
            folder: where the pictures go.
            display: where the figures go.
            elapsed_s: time since the stream's first datagram, in seconds.
            figures: tells what has arrived of the stream.
            original: to measure against; None if it is not at hand.
            device: "cpu" or "cuda".
            frame: makes the whole frame of the stream's picture in a look, [h, w, 3]; None if that is all.
            looks: of the pictures, as far as the codec has them; the faithful one if it has none of them. The first is
                what is measured and kept, the others are shown beside it.
            one_of_several: events carry the name.
            worker: makes pictures in this thread, one for all segments that came meanwhile; without it `refine` does.
        """
        codec = codec_of(header)
        decoder, known = (
            codec.decoder(header, device=device),
            dict.fromkeys(prepared_look(codec, look) for look in looks),
        )
        self.name = name
        self.about = About()
        self.refiner = Refiner(decoder, folder, elapsed_s, original=original, frame=frame, looks=tuple(known))
        self.figures = figures
        self._display = display
        self._view = PhotoView(display, name, one_of_several=one_of_several)
        self._loop = (
            None if worker is None else RefinementLoop(self.refiner, worker, self._show, on_looks=self._show_looks)
        )
        self._waiting: list[SegmentPayload] = []
        self._taken = self._received_bytes = 0
        display.observe(PhotoStarted(name, self.refiner.looks))

    def describe(self, about: About) -> None:
        """The sender has said what the photo is called, when and where it was taken."""
        self.about = about
        self.refiner.folder.called(about.name)
        self._display.observe(PhotoDescribed(self.name, about))
        self._display.note(f"{self.name} is {about.in_words()}")

    def is_one_of_several(self) -> None:
        """Another photo follows: what is still told of this one carries its name."""
        self._view.is_one_of_several = True

    def take(self, segment_id: int, payload: bytes) -> None:
        """Takes a segment; raises RunError if an earlier picture could not be written."""
        self._taken += 1
        if self._loop is not None:
            self._loop.push((segment_id, payload), self.figures().bytes)
        else:
            self._waiting.append((segment_id, payload))
            self._received_bytes = self.figures().bytes
        self.show_packets()

    def expect(self, expectation: Expectation) -> None:
        """From now on pictures are shown with what the sender expects of them, and so is the latest one."""
        self.refiner.expectation = expectation
        if self._loop is None or not self._loop.behind:
            self._judge()

    def refine(self) -> bool:
        """Without a worker: shows what was taken since the last call; False if there is no new picture."""
        waiting, self._waiting = self._waiting, []
        refinement = self.refiner.refine(waiting, self._received_bytes)
        if refinement is not None:
            self._show(refinement)
            self._show_looks(self.refiner.further_looks())
        return refinement is not None

    def show_packets(self) -> None:
        """Brings the figures on the display up to date."""
        self._view.show_packets(self.figures(), self._share, decoding=self._is_decoding)

    async def drain(self) -> None:
        """Waits until the picture shows all that was taken, or `cut`; nothing is taken after that."""
        if self._loop is not None:
            try:
                await self._loop.drain()
            finally:
                was_behind, self._loop = self._is_decoding, None  # it refers back here: the decoder goes when we do
            if was_behind:
                self.show_packets()

    @property
    def pixels(self) -> int:
        """Of the photo, as its header says."""
        header = self.refiner.decoder.header
        return header.width * header.height

    @property
    def is_cut(self) -> bool:
        return self.refiner.stopped

    def cut(self) -> None:
        """The picture stays as it is: what is not decoded yet is dropped."""
        self.refiner.stopped = True
        if self._loop is not None:
            self._loop.cut()

    def finish(self, settings: Mapping[str, object], wire_bytes: int | None = None, *, title: str = "") -> str:
        """Writes the final picture, the timeline and the report.

        Args:
            settings: for the report, as JSON values.
            wire_bytes: sent, if that is known; otherwise the bytes that arrived count.
            title: of the timeline; the photo's name if empty.

        Returns:
            The line that closes the photo.
        """
        figures = self.figures()
        sent_bytes = figures.bytes if wire_bytes is None else wire_bytes
        packets = {"received": figures.received, "lost": figures.lost, "recovered": figures.recovered}
        folder = self.refiner.folder
        try:
            folder.finish(
                settings,
                sent_bytes,
                packets=packets,
                about=self.about.in_values(),
                title=title or self.name,
                timeline=not self.is_cut,
            )
        finally:  # also on a full disk its last picture was shown
            self._display.observe(PhotoFinished(self.name, **packets, bytes=figures.bytes, folder=folder.path))
        segments = f"{self._taken} of {self.refiner.decoder.header.segment_count}"
        return closing_words(self.name, self.refiner.latest, self.refiner.status, figures, segments)

    def check_base(self) -> None:
        """Raises RunError unless the whole base arrived."""
        status = self.refiner.decoder.status
        if not status.base_complete:
            kept = "nothing could be shown" if self.refiner.latest is None else "the best picture is kept"
            gaps = f" ({status.gaps_in_words()})" if status.decoded else ""
            raise RunError(
                f"{self.name}: the base did not arrive, {kept}{gaps}: lower the bandwidth or raise the redundancy"
            )

    @property
    def _share(self) -> float:
        return min(1.0, self._taken / max(1, self.refiner.decoder.header.segment_count))

    @property
    def _is_decoding(self) -> bool:
        """All is there, but not in the picture yet."""
        return self._share >= 1 and self._loop is not None and self._loop.behind

    def _show(self, refinement: Refinement) -> None:
        refiner = self.refiner
        if refiner.path is not None:
            self._display.observe(
                PictureShown(
                    self.name, refiner.path, refinement, refiner.status, refiner.took_s, picture=refiner.picture
                )
            )
        self._view.show_picture(refinement, refiner.status, self.figures(), self._share, decoding=self._is_decoding)
        self._judge()

    def _judge(self) -> None:
        """Adds to the latest picture what was not known of it when it was made."""
        judged = self.refiner.judge()
        if judged is not None:
            self._display.observe(PictureJudged(self.name, judged))
            self._view.know_quality(judged, self.refiner.status)
            self.show_packets()

    def _show_looks(self, looks: list[tuple[str, Path]]) -> None:
        for look, path in looks:
            self._display.observe(LookShown(self.name, look, path))

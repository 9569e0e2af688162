"""One photo being received: from the session's events to pictures, figures and an output folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from progressive.codec import Photo
from progressive.display import Display
from progressive.errors import RunError
from progressive.output import OutputFolder, Refinement
from progressive.registry import codec_name, load_codec
from progressive.stream import StreamHeader
from receiver.display import Figures, PhotoView, closing_words
from receiver.refinement import RefinementLoop, Refiner


class Reception:
    """Follows one stream.

        segments -> refiner (at once, or in a worker thread) -> pictures in the folder, figures on the display

    Fields:
        name: of the photo, for people.
        refiner: the picture and what was measured of it.
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
        one_of_several: bool = False,
        worker: ThreadPoolExecutor | None = None,
    ) -> None:
        """
        Args:
            header: of the stream; raises BitstreamError if no codec here decodes it.
            name: of the photo, for people.
            folder: where the pictures go.
            display: where the figures go.
            elapsed_s: time since the stream's first datagram, in seconds.
            figures: what has arrived of this stream.
            original: to measure against; None if it is not at hand.
            device: "cpu" or "cuda".
            one_of_several: events carry the name.
            worker: makes pictures in this thread, one for all segments that came meanwhile; None makes one a segment
                before `take` returns.
        """
        decoder = load_codec(codec_name(header.codec)).decoder(header, device=device)
        self.name = name
        self.refiner = Refiner(decoder, folder, elapsed_s, original=original)
        self._figures = figures
        self._view = PhotoView(display, name, one_of_several=one_of_several)
        self._loop = None if worker is None else RefinementLoop(self.refiner, worker, self._show)
        self._taken = 0

    def take(self, segment_id: int, payload: bytes) -> None:
        """Refines the picture by a segment; raises RunError if a picture could not be written."""
        self._taken += 1
        received_bytes = self._figures().bytes
        if self._loop is not None:
            self._loop.push((segment_id, payload), received_bytes)
        elif (refinement := self.refiner.refine([(segment_id, payload)], received_bytes)) is not None:
            self._show(refinement)
        self.show_packets()

    def show_packets(self) -> None:
        """Brings the figures on the display up to date."""
        self._view.show_packets(self._figures(), self._share)

    async def drain(self) -> None:
        """Waits until the picture shows all that was taken."""
        if self._loop is not None:
            await self._loop.drain()

    def finish(self, settings: Mapping[str, object], wire_bytes: int) -> str:
        """Writes the final picture, the timeline and the report; returns the line that closes the photo."""
        self.refiner.folder.finish(settings, wire_bytes, title=self.name)
        segments = f"{self._taken} of {self.refiner.decoder.header.segment_count}"
        return closing_words(self.name, self.refiner.latest, self._figures(), segments)

    def check_base(self) -> None:
        """Raises RunError unless the whole base arrived."""
        if not self.refiner.decoder.status.base_complete:
            kept = "nothing could be shown" if self.refiner.latest is None else "the best picture is kept"
            raise RunError(f"{self.name}: the base did not arrive, {kept}: lower the bandwidth or raise the redundancy")

    @property
    def _share(self) -> float:
        return min(1.0, self._taken / max(1, self.refiner.decoder.header.segment_count))

    def _show(self, refinement: Refinement) -> None:
        self._view.show_picture(refinement, self._figures(), self._share)

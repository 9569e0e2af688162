import gc
import json
import weakref
from collections.abc import Sequence
from pathlib import Path

import fake_codec
import pytest

from progressive.output.folder import OutputFolder
from progressive.photos import sample_photo
from progressive.runtime.background import Background
from progressive.shell.display import Progress, QuietDisplay
from progressive.wire.expected_quality import Curve, Expectation
from receiver.events import PacketReceived, PacketStatistics
from receiver.reception import PhotoStarted, Reception
from receiver.viewer.history import Cursor
from receiver.viewer.journal import Journal


@pytest.mark.usefixtures("thumbnails")
async def test_the_decoder_of_a_photo_goes_as_soon_as_its_reception(tmp_path: Path) -> None:
    """Left to the garbage collector, which does not see how large they are, several would stay."""
    stream = fake_codec.ThumbnailCodec().encode(sample_photo()[::4, ::4], max_payload=300)
    gc.disable()
    try:
        with Background() as worker:
            reception = Reception(
                stream.header,
                "photo",
                OutputFolder(tmp_path),
                QuietDisplay(),
                elapsed_s=lambda: 0.0,
                figures=PacketStatistics,
                worker=worker,
            )
            decoder = weakref.ref(reception.refiner.decoder)
            for segment in stream.segments:
                reception.take(segment.id, segment.payload)
            await reception.drain()
        assert decoder() is not None
        del reception
        assert decoder() is None
    finally:
        gc.enable()


class Rows(QuietDisplay):
    """What a terminal shows of a photo, and what is told of its pictures."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.observed: list[object] = []

    def observe(self, event: object) -> None:
        self.observed.append(event)

    def progress(self, rows: Sequence[Progress]) -> None:
        self.texts += [row.text for row in rows]


@pytest.mark.usefixtures("thumbnails")
async def test_a_terminal_tells_that_a_photo_of_which_all_came_is_still_decoded(tmp_path: Path) -> None:
    stream = fake_codec.ThumbnailCodec().encode(sample_photo()[::4, ::4], max_payload=300)
    rows = Rows()
    with Background() as worker:
        reception = Reception(
            stream.header,
            "photo",
            OutputFolder(tmp_path),
            rows,
            elapsed_s=lambda: 0.0,
            figures=PacketStatistics,
            worker=worker,
        )
        for segment in stream.segments[:-1]:
            reception.take(segment.id, segment.payload)
            assert "decoding" not in rows.texts[-1]
        reception.take(stream.segments[-1].id, stream.segments[-1].payload)
        assert rows.texts[-1].endswith("all received, decoding")
        await reception.drain()
    assert "decoding" not in rows.texts[-1]


@pytest.mark.usefixtures("thumbnails")
def test_the_latest_picture_is_judged_by_what_the_sender_tells_after_it_was_shown(tmp_path: Path) -> None:
    stream = fake_codec.ThumbnailCodec().encode(sample_photo()[::4, ::4], max_payload=300)
    rows, folder = Rows(), OutputFolder(tmp_path)
    reception = Reception(
        stream.header, "photo", folder, rows, elapsed_s=lambda: 0.0, figures=lambda: PacketStatistics(received=1)
    )
    journal = Journal()
    journal.observe(PacketReceived(1, 0.0, 0, "source", ((0, 2),), 0, 400, False, 1, 1))
    journal.observe(PhotoStarted("photo"))
    for segment in stream.segments:
        reception.take(segment.id, segment.payload)
    reception.refine()
    reception.expect(Expectation(Curve.of(1, 1, 1, [10, 31])))
    assert rows.texts[-1].endswith("about 31 dB")
    assert "about 31 dB" in reception.finish({})
    events = json.loads((tmp_path / "report.json").read_text())["events"]
    assert events[-1]["expected_psnr"] is None, "events stay as they were told"
    for event in rows.observed:
        journal.observe(event)
    assert [picture["expected_psnr"] for picture in journal.photos[1].pictures.since(Cursor())[1]] == [31]

import gc
import weakref
from collections.abc import Sequence
from pathlib import Path

import fake_codec
import pytest

from progressive.output.folder import OutputFolder
from progressive.photos import sample_photo
from progressive.runtime.background import Background
from progressive.shell.display import Progress, QuietDisplay
from receiver.events import PacketStatistics
from receiver.reception import Reception


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
    """What a terminal shows of a photo."""

    def __init__(self) -> None:
        self.texts: list[str] = []

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

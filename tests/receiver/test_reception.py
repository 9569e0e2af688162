import gc
import weakref
from pathlib import Path

import fake_codec
import pytest

from progressive.output.folder import OutputFolder
from progressive.photos import sample_photo
from progressive.runtime.background import Background
from progressive.shell.display import QuietDisplay
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

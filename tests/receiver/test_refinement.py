import asyncio
import threading
from pathlib import Path

import fake_codec
import numpy as np
import pytest
from PIL import Image

from progressive.codec import Photo
from progressive.errors import RunError
from progressive.metrics import psnr
from progressive.output.folder import OutputFolder
from progressive.output.refinement import Refinement
from progressive.photos import read_photo, sample_photo
from progressive.runtime.background import Background
from progressive.runtime.stopping import Stop, never
from progressive.stream import LayeredStream
from receiver.refinement import RefinementLoop, Refiner

PHOTO = np.ascontiguousarray(sample_photo()[::2, ::2])


@pytest.fixture
def stream() -> LayeredStream:
    return fake_codec.ThumbnailCodec().encode(PHOTO, max_payload=300)


def refiner_of(stream: LayeredStream, folder: Path, original: Photo | None = PHOTO) -> Refiner:
    decoder = fake_codec.ThumbnailDecoder(stream.header)
    return Refiner(decoder, OutputFolder(folder), elapsed_s=lambda: 1.5, original=original)


def test_a_refinement_is_measured_and_written(stream: LayeredStream, tmp_path: Path) -> None:
    refiner = refiner_of(stream, tmp_path)
    refinement = refiner.refine([(s.id, s.payload) for s in stream.segments], received_bytes=777)
    assert refinement is not None
    assert (refinement.time_s, refinement.bytes, refinement.layer) == (1.5, 777, 1)
    assert refinement.psnr is not None
    assert refinement.psnr > 15
    assert refinement.ms_ssim is not None
    assert 0 < refinement.ms_ssim < 1
    assert (tmp_path / "refinement_00.png").exists()


def test_what_changes_nothing_shows_nothing(stream: LayeredStream, tmp_path: Path) -> None:
    refiner = refiner_of(stream, tmp_path, original=None)
    first = (stream.segments[0].id, stream.segments[0].payload)
    assert refiner.refine([], 0) is None
    assert refiner.refine([first], 300) is not None
    assert refiner.refine([first], 600) is None
    assert len(list(tmp_path.iterdir())) == 1


def test_damaged_segments_are_counted_and_dropped(stream: LayeredStream, tmp_path: Path) -> None:
    refiner = refiner_of(stream, tmp_path, original=None)
    good = stream.segments[0]
    assert refiner.refine([(2, b"\xff" * 9), (good.id, good.payload), (3, b"")], 10) is not None
    assert refiner.damaged == 2


def test_a_picture_of_another_size_is_measured_at_the_size_of_the_original(
    stream: LayeredStream, tmp_path: Path
) -> None:
    original = sample_photo()
    refinement = refiner_of(stream, tmp_path, original).refine([(s.id, s.payload) for s in stream.segments], 1)
    picture = Image.fromarray(read_photo(tmp_path / "refinement_00.png"))
    assert picture.size == (256, 256)
    assert refinement is not None
    upscaled = np.asarray(picture.resize((512, 512), Image.Resampling.LANCZOS))
    assert refinement.psnr == pytest.approx(psnr(upscaled, original))
    assert refinement.psnr < psnr(np.asarray(picture), PHOTO)


class SlowDecoder(fake_codec.ThumbnailDecoder):
    """Waits with its first picture until told."""

    def __init__(self, stream: LayeredStream) -> None:
        super().__init__(stream.header)
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.pictures = 0

    def picture(self, *, stop: Stop = never) -> Photo:
        assert threading.current_thread() is not threading.main_thread()
        self.begun.set()
        assert self.go_on.wait(timeout=10)
        self.pictures += 1
        return super().picture()


async def test_one_picture_serves_all_that_came_since_the_last(stream: LayeredStream, tmp_path: Path) -> None:
    decoder = SlowDecoder(stream)
    shown = list[Refinement]()
    with Background() as worker:
        loop = RefinementLoop(Refiner(decoder, OutputFolder(tmp_path), lambda: 0.0), worker, shown.append)
        loop.push((stream.segments[0].id, stream.segments[0].payload), 100)
        assert await asyncio.to_thread(decoder.begun.wait, 10)
        for number, segment in enumerate(stream.segments[1:], start=2):
            loop.push((segment.id, segment.payload), 100 * number)
        decoder.go_on.set()
        await loop.drain()
    assert decoder.pictures == len(shown) == 2
    assert [refinement.bytes for refinement in shown] == [100, 100 * len(stream.segments)]
    assert decoder.status.decoded == len(stream.segments)


async def test_a_full_disk_ends_the_run(stream: LayeredStream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(self: OutputFolder, picture: Photo, refinement: Refinement) -> Path:
        raise RunError("disk full")

    monkeypatch.setattr(OutputFolder, "add_refinement", no_space)
    with Background() as worker:
        loop = RefinementLoop(refiner_of(stream, tmp_path, None), worker, lambda refinement: None)
        loop.push((stream.segments[0].id, stream.segments[0].payload), 1)
        with pytest.raises(RunError, match="disk full"):
            await loop.drain()


async def test_a_picture_in_the_making_is_not_waited_for_and_not_shown_once_cut(
    stream: LayeredStream, tmp_path: Path
) -> None:
    decoder = SlowDecoder(stream)
    shown = list[Refinement]()
    with Background() as worker:
        refiner = Refiner(decoder, OutputFolder(tmp_path), lambda: 0.0)
        loop = RefinementLoop(refiner, worker, shown.append)
        loop.push((stream.segments[0].id, stream.segments[0].payload), 100)
        assert await asyncio.to_thread(decoder.begun.wait, 10)
        loop.push((stream.segments[1].id, stream.segments[1].payload), 200)
        loop.cut()
        loop.push((stream.segments[2].id, stream.segments[2].payload), 300)
        await loop.drain()  # the decoder still waits
        decoder.go_on.set()
    assert (decoder.pictures, decoder.status.decoded) == (1, 1)
    assert shown == []
    assert (refiner.latest, refiner.path) == (None, None)
    assert not (tmp_path / "refinement_00.png").exists()


async def test_further_looks_follow_each_picture_and_the_first_is_what_counts(
    stream: LayeredStream, tmp_path: Path
) -> None:
    shown: list[object] = []
    folder = OutputFolder(tmp_path)
    decoder = fake_codec.ThumbnailDecoderWithLooks(stream.header)
    refiner = Refiner(decoder, folder, lambda: 0.0, original=PHOTO, looks=("natural", "faithful"))
    with Background() as worker:
        loop = RefinementLoop(refiner, worker, shown.append, shown.append)
        for segment in stream.segments:
            loop.push((segment.id, segment.payload), 100)
        await loop.drain()
    refinement, looks = shown[-2:]
    assert isinstance(refinement, Refinement)
    natural, faithful = (read_photo(path) for path in (refiner.path, looks[0][1]))
    assert looks[0][0] == "faithful"
    assert np.array_equal(natural, 255 - faithful)
    assert refinement.psnr == pytest.approx(psnr(natural, PHOTO))

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from progressive.codec import Photo
from progressive.codecs.rmpgc import picture
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK, STAGES, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import MARGIN, latent_of, padded, strips, to_photo, with_margin
from progressive.codecs.rmpgc.segments import Contents
from progressive.metrics import psnr
from progressive.stream import LayeredStream

WIDE = Layout(700, 90)
"""Two tiles of two rows of blocks."""


@pytest.fixture(scope="module")
def tall() -> Photo:
    """Narrow and more than two strips high."""
    return np.asarray(data.astronaut()[:, 200:250], np.uint8).repeat(4, 0)[:1700].copy()


@pytest.fixture
def narrow_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "STRIP_PIXELS", 1)


@pytest.fixture(scope="module")
def wide_photo() -> Photo:
    return np.asarray(data.chelsea()[100:190, :451], np.uint8).repeat(2, 1)[:, :700].copy()


@pytest.fixture(scope="module")
def wide_stream(codec: Rmpgc, wide_photo: Photo) -> LayeredStream:
    return codec.encode(wide_photo)


def shown(codec: Rmpgc, stream: LayeredStream, *, tiles: set[int], steps: set[int]) -> Photo:
    """The picture of what is of these tiles and steps."""
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        contents = Contents.from_bytes(segment.payload, WIDE)
        if contents.tile in tiles and contents.step in steps:
            decoder.push(segment.id, segment.payload)
    return decoder.picture()


def test_a_photo_is_padded_to_whole_blocks_with_its_edges() -> None:
    photo = np.arange(70 * 50 * 3, dtype=np.uint32).astype(np.uint8).reshape(70, 50, 3)
    layout = Layout(50, 70)
    pixels = padded(photo, layout, 0, layout.rows)
    assert pixels.shape == (1, 3, 128, 64)
    assert torch.equal(pixels[0, :, 90, 60], pixels[0, :, 69, 49])
    assert np.array_equal(to_photo(pixels, 70, 50), photo)
    assert torch.equal(padded(photo, layout, 1, 2), pixels[:, :, 64:])


def test_to_photo_rounds_and_clips() -> None:
    values = torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 1.2]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert to_photo(values, 1, 4)[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("rows", [1, 12, 19, 26, 40])
def test_strips_cover_every_row_once(monkeypatch: pytest.MonkeyPatch, rows: int) -> None:
    layout = Layout(BLOCK, rows * BLOCK - 5)
    monkeypatch.setattr(picture, "STRIP_PIXELS", 7 * BLOCK * BLOCK)
    covered = [row for first, last in strips(layout) for row in range(first, last)]
    assert covered == list(range(rows))
    for strip in strips(layout):
        top, bottom = with_margin(strip, layout)
        assert 0 <= top <= strip[0] < strip[1] <= bottom <= rows


@pytest.mark.usefixtures("narrow_strips")
def test_a_latent_made_in_strips_is_the_whole_one(model: Model, tall: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(tall.shape[1], tall.shape[0])
    assert len(strips(layout)) > 2
    with torch.inference_mode():
        parts = latent_of(tall, layout, model.analysis)
        monkeypatch.setattr(picture, "STRIP_PIXELS", 10**9)
        assert len(strips(layout)) == 1
        whole = latent_of(tall, layout, model.analysis)
    for part, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(part, expected, atol=2e-3, rtol=0)


def test_a_picture_made_in_strips_is_the_whole_one_to_a_grey_level(
    codec: Rmpgc, tall: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = codec.encode(tall)
    pictures = []
    for pixels in (10**9, 1):
        monkeypatch.setattr(picture, "STRIP_PIXELS", pixels)
        decoder = codec.decoder(stream.header)
        for segment in stream.segments[: len(stream.segments) // 2]:
            decoder.push(segment.id, segment.payload)
        pictures.append(decoder.picture().astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_a_tile_that_is_missing_is_grey(codec: Rmpgc, wide_photo: Photo, wide_stream: LayeredStream) -> None:
    everything = set(range(20))
    whole = shown(codec, wide_stream, tiles={0, 1}, steps=everything)
    left = shown(codec, wide_stream, tiles={0}, steps=everything)
    assert (left[:, 512:] == 128).all()
    assert np.abs(left[:, : 512 - MARGIN * BLOCK].astype(int) - whole[:, : 512 - MARGIN * BLOCK]).max() <= 1
    right = shown(codec, wide_stream, tiles={1}, steps=everything)
    assert (right[:, :512] == 128).all()
    assert psnr(right[:, 540:], wide_photo[:, 540:]) > 20


def test_a_base_without_its_fine_stages_is_a_coarse_picture(
    codec: Rmpgc, wide_photo: Photo, wide_stream: LayeredStream
) -> None:
    quality = []
    for stages in range(1, len(STAGES) + 1):
        first = shown(codec, wide_stream, tiles={0, 1}, steps=set(range(stages)))
        quality.append(psnr(first, wide_photo))
        gap = shown(codec, wide_stream, tiles={0, 1}, steps=set(range(20)) - {stages})
        if stages < len(STAGES):
            assert np.array_equal(gap, first)
    assert quality == sorted(quality)
    assert quality[0] > 14


def test_nothing_is_shown_as_grey(codec: Rmpgc, wide_stream: LayeredStream) -> None:
    decoder = codec.decoder(wide_stream.header)
    assert not decoder.status.base_complete
    assert (decoder.picture() == 128).all()
    for segment in wide_stream.segments:
        if Contents.from_bytes(segment.payload, WIDE).step:
            decoder.push(segment.id, segment.payload)
    assert decoder.status.decoded == 0
    assert (decoder.picture() == 128).all()

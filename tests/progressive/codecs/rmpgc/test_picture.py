from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from progressive.codec import Photo
from progressive.codecs.rmpgc import picture
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK, STAGES, Layout, Window
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import MARGIN, latent_of, padded, pieces, to_photo, with_margin
from progressive.codecs.rmpgc.segments import Contents
from progressive.metrics import psnr
from progressive.stream import LayeredStream

WIDE = Layout(700, 90)
"""Two tiles of two rows of blocks."""


LONG = 1000
"""Pixels of a side that is cut into pieces where these are one block long."""


@pytest.fixture(scope="module", params=["high", "wide"])
def stripe(request: pytest.FixtureRequest) -> Photo:
    high = np.asarray(data.astronaut()[:, 200:250], np.uint8).repeat(4, 0)[:LONG].copy()
    return high if request.param == "high" else high.transpose(1, 0, 2).copy()


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
    pixels = padded(photo, Window(0, 0, 2, 1))
    assert pixels.shape == (1, 3, 128, 64)
    assert torch.equal(pixels[0, :, 90, 60], pixels[0, :, 69, 49])
    assert np.array_equal(to_photo(pixels, 70, 50), photo)
    assert torch.equal(padded(photo, Window(1, 0, 1, 1)), pixels[:, :, 64:])


def test_to_photo_rounds_and_clips() -> None:
    values = torch.tensor([-0.1, 0.49 / 255, 0.51 / 255, 1.2]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert to_photo(values, 1, 4)[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (20, 3), (3, 45), (33, 90)])
def test_pieces_cover_every_block_once(monkeypatch: pytest.MonkeyPatch, rows: int, columns: int) -> None:
    layout = Layout(columns * BLOCK - 5, rows * BLOCK - 5)
    monkeypatch.setattr(picture, "PIECE", 8)
    covered = np.zeros((rows, columns), int)
    for piece in pieces(layout):
        covered[piece.slices(1)] += 1
        assert max(piece.height, piece.width) <= 8 + 2 * MARGIN
        around = with_margin(piece, layout)
        seen = np.zeros((rows, columns), int)
        seen[around.slices(1)] += 1
        assert seen[piece.slices(1)].all()
        assert seen.sum() == around.blocks
        assert around.blocks <= (piece.height + 2 * MARGIN) * (piece.width + 2 * MARGIN)
    assert (covered == 1).all()


def test_a_latent_made_in_pieces_is_the_whole_one(model: Model, stripe: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = Layout(stripe.shape[1], stripe.shape[0])
    with torch.inference_mode():
        assert len(pieces(layout)) == 1
        whole = latent_of(stripe, layout, model.analysis)
        monkeypatch.setattr(picture, "PIECE", 1)
        assert len(pieces(layout)) == 16
        parts = latent_of(stripe, layout, model.analysis)
    for part, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(part, expected, atol=2e-3, rtol=0)


def test_a_picture_made_in_pieces_is_the_whole_one_to_a_grey_level(
    codec: Rmpgc, stripe: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = codec.encode(stripe)
    pictures = []
    for side in (10**9, 1):
        monkeypatch.setattr(picture, "PIECE", side)
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


def test_a_missing_tile_does_not_grey_its_neighbour() -> None:
    """The edge of a bright tile stays bright."""
    white = np.full((64, 700, 3), 250, np.uint8)
    codec = Rmpgc()
    stream = codec.encode(white)
    layout, decoder = Layout(700, 64), codec.decoder(stream.header)
    for segment in stream.segments:
        if Contents.from_bytes(segment.payload, layout).tile == 0:
            decoder.push(segment.id, segment.payload)
    picture = decoder.picture()
    assert (picture[:, 512:] == 128).all()
    assert picture[:, :512].min() > 230


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

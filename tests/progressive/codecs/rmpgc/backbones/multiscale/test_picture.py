from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.picture import MARGIN, latent_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH, SCALES, layout_of
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK, Window
from progressive.codecs.rmpgc.segments import BASE, Contents
from progressive.metrics import psnr
from progressive.segments import pieces as photo_pieces
from progressive.segments.pieces import padded, pieces, to_photo, with_margin
from progressive.stream import LayeredStream, Segment

WIDE = layout_of(700, 90)
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


def base_of(stream: LayeredStream) -> list[tuple[Segment, Contents]]:
    layout = layout_of(stream.header.width, stream.header.height)
    parsed = [(s, Contents.from_bytes(s.payload, s.id, layout)) for s in stream.segments]
    return [(s, contents) for s, contents in parsed if contents.form == BASE]


def shown(codec: Rmpgc, stream: LayeredStream, *, without: set[int], layers: int = 1) -> Photo:
    """The picture of the first layers without some segments, and without what depends on them."""
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments if s.layer < layers and s.id not in without)
    return decoder.picture()


def of_tile(stream: LayeredStream, tile: int) -> set[int]:
    """The base of a tile: without it nothing of it is shown."""
    return {s.id for s, contents in base_of(stream) if contents.tile == tile}


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
    layout = layout_of(columns * BLOCK - 5, rows * BLOCK - 5)
    monkeypatch.setattr(photo_pieces, "PIECE", 8)
    covered = np.zeros((rows, columns), int)
    for piece in pieces(layout, MARGIN):
        covered[piece.slices(1)] += 1
        assert max(piece.height, piece.width) <= 8 + 2 * MARGIN
        around = with_margin(piece, layout, MARGIN)
        seen = np.zeros((rows, columns), int)
        seen[around.slices(1)] += 1
        assert seen[piece.slices(1)].all()
        assert seen.sum() == around.blocks
        assert around.blocks <= (piece.height + 2 * MARGIN) * (piece.width + 2 * MARGIN)
    assert (covered == 1).all()


def test_a_latent_made_in_pieces_is_the_whole_one(model: Model, stripe: Photo, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = layout_of(stripe.shape[1], stripe.shape[0])
    with torch.inference_mode():
        assert len(list(pieces(layout, MARGIN))) == 1
        whole = latent_of(stripe, layout, model.analyse)
        monkeypatch.setattr(photo_pieces, "PIECE", 1)
        assert len(list(pieces(layout, MARGIN))) == 16
        parts = latent_of(stripe, layout, model.analyse)
    for part, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(part, expected, atol=2e-3, rtol=0)


def test_a_picture_made_in_pieces_is_the_whole_one_to_a_grey_level(
    codec: Rmpgc, stripe: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = codec.encode(stripe)
    pictures = []
    for side in (10**9, 1):
        monkeypatch.setattr(photo_pieces, "PIECE", side)
        decoder = codec.decoder(stream.header)
        for segment in stream.segments[: len(stream.segments) // 2]:
            decoder.push(segment.id, segment.payload)
        pictures.append(decoder.picture().astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 1


def test_a_tile_that_is_missing_is_grey(codec: Rmpgc, wide_photo: Photo, wide_stream: LayeredStream) -> None:
    whole = shown(codec, wide_stream, without=set(), layers=3)
    left = shown(codec, wide_stream, without=of_tile(wide_stream, 1), layers=3)
    assert (left[:, 512:] == 128).all()
    assert np.abs(left[:, : 512 - MARGIN * BLOCK].astype(int) - whole[:, : 512 - MARGIN * BLOCK]).max() <= 1
    right = shown(codec, wide_stream, without=of_tile(wide_stream, 0), layers=3)
    assert (right[:, :512] == 128).all()
    assert psnr(right[:, 540:], wide_photo[:, 540:]) > 20


def test_a_missing_tile_does_not_grey_its_neighbour(codec: Rmpgc) -> None:
    """The edge of a bright tile is as bright as it is beside its neighbour."""
    white = np.full((64, 700, 3), 250, np.uint8)
    stream, layout = codec.encode(white), layout_of(700, 64)
    tile = {s.id for s in stream.segments if Contents.from_bytes(s.payload, s.id, layout).tile == 1}
    whole, alone = (shown(codec, stream, without=without) for without in (set[int](), tile))
    assert (alone[:, 512:] == 128).all()
    assert np.abs(alone[:, :512].astype(int) - whole[:, :512]).max() < 80


def test_a_base_without_its_fine_scales_is_a_coarse_picture(codec: Rmpgc, wide_photo: Photo) -> None:
    stream = codec.encode(wide_photo, max_payload=60)
    pieces = base_of(stream)
    lasts = sorted({DEPTH.runs[c.run][1] for _, c in pieces})
    assert len(lasts) > 3
    assert lasts[-1] == SCALES - 1
    quality = []
    for last in lasts:
        beyond = {s.id for s, c in pieces if DEPTH.runs[c.run][1] > last}
        first = shown(codec, stream, without=beyond)
        quality.append(psnr(first, wide_photo))
        if beyond:
            assert np.array_equal(shown(codec, stream, without=beyond - {max(beyond)}), first)
    assert max(quality) > quality[0] + 2 > 12


def test_nothing_is_shown_as_grey(codec: Rmpgc, wide_stream: LayeredStream) -> None:
    decoder = codec.decoder(wide_stream.header)
    assert not decoder.status.base_complete
    assert (decoder.picture() == 128).all()
    first = of_tile(wide_stream, 0) | of_tile(wide_stream, 1)
    for segment in wide_stream.segments:
        if segment.id not in first:
            decoder.push(segment.id, segment.payload)
    assert decoder.status.decoded == 0
    assert decoder.status.waiting == len(wide_stream.segments) - len(first)
    assert (decoder.picture() == 128).all()

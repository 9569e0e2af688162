from __future__ import annotations

import io
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae.codec import MIN_PAYLOAD, HierarchicalVae
from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.latents import BASE_LATENTS, LATENTS, MARGIN
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.segments import Contents
from progressive.errors import BitstreamError, UsageError
from progressive.metrics import psnr
from progressive.photos import downscale, sample_photo
from progressive.segments.pieces import PIECE, pieces, with_margin
from progressive.segments.tiles import Layout
from progressive.stream import LayeredStream


def contents_of(stream: LayeredStream) -> list[Contents]:
    layout = Parameters.from_bytes(stream.header.parameters).layout(stream.header)
    return [Contents.from_bytes(segment.payload, layout) for segment in stream.segments]


def shown(codec: HierarchicalVae, stream: LayeredStream, count: int) -> Photo:
    decoder = codec.decoder(stream.header)
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments[:count])
    return decoder.picture()


def test_a_budget_is_met_from_below_and_a_larger_one_is_better(codec: HierarchicalVae, photo: Photo) -> None:
    sizes, quality = [], []
    for budget in (1500, 3000, 6000):
        stream = codec.encode(photo, budget=budget)
        assert stream.size <= budget
        sizes.append(stream.size / budget)
        quality.append(psnr(shown(codec, stream, len(stream.segments)), photo))
    assert min(sizes) > 0.9
    assert quality == sorted(quality)


@pytest.mark.parametrize("quality", [10, 40, 75])
def test_a_photo_is_closer_than_a_jpeg_of_its_size(codec: HierarchicalVae, quality: int) -> None:
    photo, file = downscale(sample_photo("coffee"), max_pixels=60_000), io.BytesIO()
    Image.fromarray(photo).save(file, "jpeg", quality=quality, optimize=True, progressive=True)
    jpeg = np.asarray(Image.open(file))
    stream = codec.encode(photo, budget=len(file.getvalue()))
    assert psnr(shown(codec, stream, len(stream.segments)), photo) > psnr(jpeg, photo) + 1


def test_a_budget_that_nothing_meets_gets_the_coarsest_stream(codec: HierarchicalVae, photo: Photo) -> None:
    stream = codec.encode(photo, budget=10)
    assert Parameters.from_bytes(stream.header.parameters).gamma == 0
    with pytest.raises(UsageError, match="cannot take 0 bytes"):
        codec.encode(photo, budget=0)


def test_meaning_travels_only_if_it_counts(codec: HierarchicalVae, model: Model, photo: Photo) -> None:
    plain = HierarchicalVae(model, semantics=False)
    with_map, without = codec.encode(photo), plain.encode(photo)
    assert codec.sent_importance(with_map.header) is not None
    assert codec.sent_importance(without.header) is None
    assert np.array_equal(shown(codec, without, 999), shown(plain, without, 999))
    assert pickle.loads(pickle.dumps(plain)).encode(photo) == without


def test_the_base_is_the_coarsest_latents_of_all_blocks(codec: HierarchicalVae, photo: Photo) -> None:
    stream = codec.encode(photo, max_payload=300)
    latents = [c.latent for c in contents_of(stream)]
    base = [latent for latent in latents if latent < BASE_LATENTS]
    assert latents[: len(base)] == sorted(base)
    assert set(latents) == set(range(len(LATENTS)))
    assert [s.layer for s in stream.segments] == [max(0, latent - BASE_LATENTS + 1) for latent in latents]


def test_tiles_are_as_small_as_their_first_latent_demands(codec: HierarchicalVae) -> None:
    squares = np.random.default_rng(1).integers(0, 256, (8, 8, 3)).repeat(64, 0).repeat(64, 1).astype(np.uint8)
    layouts = []
    for max_payload in (MIN_PAYLOAD, 5000):
        stream = codec.encode(squares, max_payload=max_payload)
        layouts.append(Parameters.from_bytes(stream.header.parameters).tile_side)
        assert max(len(s.payload) for s in stream.segments) <= max_payload
    assert layouts[0] < layouts[1] == 8


def test_any_photo_fits_the_smallest_payload(codec: HierarchicalVae) -> None:
    """What is as far from a photo as can be goes without its finest latents."""
    rows, columns = np.mgrid[:64, :64]
    pattern = np.stack([(rows + columns) % 2, rows % 2, (rows // 2 + columns) % 2], 2).astype(np.uint8) * 255
    pattern ^= np.random.default_rng(0).integers(0, 2, (64, 64, 1), np.uint8) * 255
    stream = codec.encode(pattern, max_payload=MIN_PAYLOAD)
    assert max(len(s.payload) for s in stream.segments) <= MIN_PAYLOAD
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments)
    assert decoder.status.base_complete


def test_a_segment_that_repeats_what_is_known_is_refused(codec: HierarchicalVae, photo: Photo) -> None:
    stream = codec.encode(photo)
    decoder = codec.decoder(replace(stream.header, segment_count=999))
    for segment in stream.segments[:2]:
        decoder.push(segment.id, segment.payload)
    for segment in stream.segments[:2]:
        with pytest.raises(BitstreamError, match="repeats"):
            decoder.push(900 + segment.id, segment.payload)


def test_the_context_weighs_where_meaning_is(codec: HierarchicalVae, photo: Photo) -> None:
    usual, classify = (codec.importance(photo, context) for context in (None, "classify"))
    assert usual.shape == photo.shape[:2]
    assert not np.allclose(usual / usual.mean(), classify / classify.mean())


def test_streams_of_damaged_parameters_are_refused(codec: HierarchicalVae, photo: Photo) -> None:
    header = codec.encode(photo).header
    for parameters in (b"", b"\x80", b"\x80\x04", header.parameters + b"\0"):
        with pytest.raises(BitstreamError):
            codec.decoder(replace(header, parameters=parameters))


def test_pieces_cover_a_large_photo_and_their_margins_stay_inside() -> None:
    layout = Layout(64 * 80, 64 * 50)
    seen = np.zeros((layout.rows, layout.columns), int)
    for piece in pieces(layout, MARGIN):
        seen[piece.slices(1)] += 1
        around = with_margin(piece, layout, MARGIN)
        assert around.height <= PIECE + 2 * MARGIN + PIECE // 2
        assert around.common(layout.whole) == around
    assert (seen == 1).all()


def test_a_picture_in_pieces_is_the_whole_one(codec: HierarchicalVae, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = np.concatenate([sample_photo("chelsea")[:128, :448]] * 3, 1)
    stream = codec.encode(photo, max_payload=1400)
    expected = shown(codec, stream, 999)
    monkeypatch.setattr("progressive.segments.pieces.PIECE", 7)
    assert len(list(pieces(Layout(photo.shape[1], photo.shape[0]), MARGIN))) == 3
    found = shown(codec, stream, 999)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_does_not_depend_on_threads(codec: HierarchicalVae, photo: Photo, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stream = codec.encode(photo, budget=2500)
    finally:
        torch.set_num_threads(before)
    assert stream == codec.encode(photo, budget=2500)

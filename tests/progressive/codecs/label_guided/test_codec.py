from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch

from progressive.codec import Photo
from progressive.codecs.label_guided.classes import BLANK, COUNT
from progressive.codecs.label_guided.codec import BLANK_MAP, MIN_PAYLOAD, LabelGuided
from progressive.codecs.label_guided.groups import GROUPS, ROOT
from progressive.codecs.label_guided.header import Parameters
from progressive.codecs.label_guided.layout import MARGIN, Layout
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.segments import Contents
from progressive.errors import BitstreamError, UsageError
from progressive.metrics import psnr
from progressive.photos import sample_photo
from progressive.segments.pieces import PIECE, pieces, with_margin
from progressive.segments.tiles import BLOCK
from progressive.stream import LayeredStream


def contents_of(stream: LayeredStream) -> list[Contents]:
    layout = Parameters.from_bytes(stream.header.parameters).layout(stream.header)
    return [Contents.from_bytes(segment.payload, layout) for segment in stream.segments]


def shown(codec: LabelGuided, stream: LayeredStream, count: int = 9999) -> Photo:
    decoder = codec.decoder(stream.header)
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments[:count])
    return decoder.picture()


def test_a_budget_is_met_from_below_and_a_larger_one_is_better(codec: LabelGuided, photo: Photo) -> None:
    sizes, quality = [], []
    for budget in (250, 350, 500):
        stream = codec.encode(photo, budget=budget)
        assert stream.size <= budget
        sizes.append(stream.size / budget)
        quality.append(psnr(shown(codec, stream), photo))
    assert min(sizes) > 0.85
    assert quality == sorted(quality)


def test_a_budget_that_nothing_meets_gets_the_coarsest_stream(codec: LabelGuided, photo: Photo) -> None:
    stream = codec.encode(photo, budget=10)
    assert Parameters.from_bytes(stream.header.parameters).level == 0
    with pytest.raises(UsageError, match="cannot take 0 bytes"):
        codec.encode(photo, budget=0)


def test_the_label_map_comes_with_the_first_segment_of_its_tile(codec: LabelGuided, photo: Photo) -> None:
    stream, labels = codec.encode(photo), codec.segment(photo)
    assert labels.shape == (8, 12)
    decoder = codec.decoder(stream.header)
    assert (decoder.labels == BLANK).all()
    decoder.push(stream.segments[0].id, stream.segments[0].payload)
    assert np.array_equal(decoder.labels, labels)


def test_label_maps_that_are_given_are_sent_and_blank_ones_are_not(codec: LabelGuided, photo: Photo) -> None:
    own = np.random.default_rng(0).integers(0, COUNT, (8, 12)).astype(np.int8)
    pictures = []
    for labels in (own, BLANK_MAP, None):
        stream = codec.encode(photo, labels=labels)
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
        if labels is own:
            assert np.array_equal(decoder.labels, own)
        elif labels is BLANK_MAP:
            assert (decoder.labels == BLANK).all()
        pictures.append(decoder.picture())
    assert not np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize("labels", [np.zeros((8, 11), np.int8), np.full((8, 12), COUNT), np.full((8, 12), -1)])
def test_label_maps_of_another_size_or_unknown_classes_are_refused(
    codec: LabelGuided, photo: Photo, labels: np.ndarray
) -> None:
    with pytest.raises(UsageError, match="must have 8 rows of 12 classes, 0 to 7"):
        codec.encode(photo, labels=labels)


def test_a_photo_that_is_no_street_scene_is_coded_with_one_warning(
    frozen: Model, photo: Photo, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = LabelGuided(frozen)
    with caplog.at_level(logging.WARNING, logger="progressive"):
        monkeypatch.setattr(frozen, "unsure_below", 0.0)
        codec.encode(photo, labels=None)
        assert not caplog.records
        monkeypatch.setattr(frozen, "unsure_below", 1.1)
        for _ in range(2):
            assert codec.encode(photo).segments
    assert [record.message for record in caplog.records] == [
        "label_guided is made for street scenes, and this photo does not look like one: "
        "another codec will show it better (said once)"
    ]


def test_first_segments_come_first_and_layers_are_the_last_groups(codec: LabelGuided, photo: Photo) -> None:
    stream = codec.encode(photo, max_payload=300)
    contents = contents_of(stream)
    groups = [c.group for c in contents]
    first = groups.count(ROOT)
    assert groups[:first] == [ROOT] * first
    assert [s.layer for s in stream.segments] == [c.groups[-1] for c in contents]
    assert max(c.groups[-1] for c in contents) == len(GROUPS) - 1


def test_tiles_are_as_small_as_their_first_segment_demands(codec: LabelGuided) -> None:
    squares = np.random.default_rng(1).integers(0, 256, (32, 32, 3)).repeat(16, 0).repeat(16, 1).astype(np.uint8)
    sides = []
    for max_payload in (MIN_PAYLOAD, 9000):
        stream = codec.encode(squares, max_payload=max_payload)
        sides.append(Parameters.from_bytes(stream.header.parameters).tile_side)
        assert max(len(s.payload) for s in stream.segments) <= max_payload
    assert sides[0] < sides[1] == 8


def test_any_photo_fits_the_smallest_payload(codec: LabelGuided) -> None:
    rows, columns = np.mgrid[:BLOCK, :BLOCK]
    pattern = np.stack([(rows + columns) % 2, rows % 2, (rows // 2 + columns) % 2], 2).astype(np.uint8) * 255
    pattern ^= np.random.default_rng(0).integers(0, 2, (BLOCK, BLOCK, 1), np.uint8) * 255
    stream = codec.encode(pattern, max_payload=MIN_PAYLOAD, budget=10**6)
    assert max(len(s.payload) for s in stream.segments) <= MIN_PAYLOAD
    decoder = codec.decoder(stream.header)
    decoder.push_all((s.id, s.payload) for s in stream.segments)
    assert decoder.status.base_complete


def test_a_segment_that_repeats_what_is_known_is_refused(codec: LabelGuided, photo: Photo) -> None:
    stream = codec.encode(photo)
    decoder = codec.decoder(replace(stream.header, segment_count=999))
    for segment in stream.segments[:2]:
        decoder.push(segment.id, segment.payload)
    for segment in stream.segments[:2]:
        with pytest.raises(BitstreamError, match="repeats"):
            decoder.push(900 + segment.id, segment.payload)


def test_streams_of_damaged_parameters_are_refused(codec: LabelGuided, photo: Photo) -> None:
    header = codec.encode(photo).header
    for parameters in (b"", b"\x14", b"\x14\x04", b"\x40\0", header.parameters + b"\0"):
        with pytest.raises(BitstreamError):
            codec.decoder(replace(header, parameters=parameters))


def test_pieces_cover_a_large_photo_and_their_margins_stay_inside() -> None:
    layout = Layout(BLOCK * 80, BLOCK * 50)
    seen = np.zeros((layout.rows, layout.columns), int)
    for piece in pieces(layout, MARGIN):
        seen[piece.slices()] += 1
        around = with_margin(piece, layout, MARGIN)
        assert around.height <= PIECE + 2 * MARGIN + PIECE // 2
        assert around.common(layout.whole) == around
    assert (seen == 1).all()


def test_a_picture_in_pieces_is_the_whole_one(codec: LabelGuided, monkeypatch: pytest.MonkeyPatch) -> None:
    photo = np.concatenate([sample_photo("chelsea")[:128, :448]] * 3, 1)
    stream = codec.encode(photo, max_payload=1400)
    expected = shown(codec, stream)
    monkeypatch.setattr("progressive.segments.pieces.PIECE", 7)
    assert len(list(pieces(Layout(photo.shape[1], photo.shape[0]), MARGIN))) == 3
    assert codec.encode(photo, max_payload=1400) == stream
    assert np.abs(shown(codec, stream).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stream_does_not_depend_on_threads(codec: LabelGuided, photo: Photo, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stream = codec.encode(photo, budget=900)
    finally:
        torch.set_num_threads(before)
    assert stream == codec.encode(photo, budget=900)

"""The decoder: segments one by one or many at once, damaged ones, and those that no encoder makes."""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np
import pytest

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH, SCALES, layout_of
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.codecs.rmpgc.segments import ALL, BASE, Contents
from progressive.errors import BitstreamError
from progressive.stream import LayeredStream, Segment


@pytest.fixture(scope="module")
def stream(codec: Rmpgc, coded: CodedPhoto) -> LayeredStream:
    return codec.rank(coded, max_payload=400)


@pytest.fixture(scope="module")
def fragments(codec: Rmpgc, coded: CodedPhoto) -> LayeredStream:
    """With fragments of the base and of levels."""
    return codec.rank(coded, max_payload=150)


@pytest.fixture(scope="module")
def whole(codec: Rmpgc, stream: LayeredStream) -> Photo:
    return pushed(codec, stream, stream.segments).picture()


def pushed(codec: Rmpgc, stream: LayeredStream, segments: Iterable[Segment]) -> RmpgcDecoder:
    decoder = codec.decoder(stream.header)
    for segment in segments:
        decoder.push(segment.id, segment.payload)
    return decoder


def contents_of(stream: LayeredStream, coded: CodedPhoto) -> dict[int, Contents]:
    return {s.id: Contents.from_bytes(s.payload, s.id, coded.layout) for s in stream.segments}


def damaged(payload: bytes) -> bytes:
    """What no encoder writes: its codes end where they say something."""
    return payload + b"\0"


def pairs(segments: Iterable[Segment]) -> list[tuple[int, bytes]]:
    return [(s.id, s.payload) for s in segments]


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_and_one_by_one_show_the_same(
    codec: Rmpgc, stream: LayeredStream, whole: Photo, seed: int
) -> None:
    """In any order, in batches of any size."""
    segments, rng, decoder = list(stream.segments), random.Random(seed), codec.decoder(stream.header)
    rng.shuffle(segments)
    while segments:
        size = rng.randint(1, len(segments))
        outcome = decoder.push_all(pairs(segments[:size]))
        assert outcome.damaged == 0
        del segments[:size]
    assert decoder.status.waiting == 0
    assert decoder.status.decoded == len(stream.segments)
    assert np.array_equal(decoder.picture(), whole)


def test_damaged_segments_among_many_stop_no_others_and_good_copies_may_follow(
    codec: Rmpgc, stream: LayeredStream, coded: CodedPhoto, whole: Photo
) -> None:
    contents = contents_of(stream, coded)
    leaves = set(contents) - {need for s in stream.segments for need in s.depends_on}
    wrong = set(sorted(n for n in leaves if contents[n].fragments == 1)[:3])
    assert len(wrong) == 3
    decoder = codec.decoder(stream.header)
    outcome = decoder.push_all((s.id, damaged(s.payload) if s.id in wrong else s.payload) for s in stream.segments)
    assert outcome.damaged == 3
    expected = pushed(codec, stream, [s for s in stream.segments if s.id not in wrong])
    assert decoder.status == expected.status
    assert np.array_equal(decoder.picture(), expected.picture())
    assert decoder.push_all(pairs(s for s in stream.segments if s.id in wrong)).damaged == 0
    assert np.array_equal(decoder.picture(), whole)


@pytest.mark.parametrize("base", [True, False])
def test_the_last_fragment_that_is_damaged_leaves_no_trace(
    codec: Rmpgc, fragments: LayeredStream, coded: CodedPhoto, base: bool
) -> None:
    contents = contents_of(fragments, coded)
    last = next(
        n for n, c in contents.items() if (c.form == BASE) == base and c.fragments > 1 and c.fragment == c.fragments - 1
    )
    decoder = pushed(codec, fragments, fragments.segments[: last - 1])
    segment = fragments.segments[last - 1]
    assert segment.id == last
    before, picture = decoder.status, decoder.picture()
    with pytest.raises(BitstreamError):
        decoder.push(last, damaged(segment.payload))
    assert decoder.status == before
    assert np.array_equal(decoder.picture(), picture)
    assert decoder.push(last, segment.payload)
    assert decoder.status.decoded > before.decoded


def test_what_needs_a_damaged_segment_waits(codec: Rmpgc, stream: LayeredStream) -> None:
    first, *rest = stream.segments
    decoder = codec.decoder(stream.header)
    with pytest.raises(BitstreamError):
        decoder.push(first.id, b"")
    assert not decoder.push_all(pairs(rest)).changed
    assert decoder.status.waiting == len(rest)
    assert decoder.push(first.id, first.payload)
    assert decoder.status.waiting == 0


@pytest.fixture
def after_the_base(codec: Rmpgc, stream: LayeredStream) -> RmpgcDecoder:
    return pushed(codec, stream, [s for s in stream.segments if s.layer == 0])


def test_a_level_or_scale_comes_once(
    codec: Rmpgc, stream: LayeredStream, coded: CodedPhoto, after_the_base: RmpgcDecoder
) -> None:
    """Also when both came in one batch."""
    base = [s for s in stream.segments if s.layer == 0]
    free = len(stream.segments)
    repeated = Contents(BASE, b"", run=DEPTH.runs.index((0, 0))).to_bytes(free, coded.layout)
    with pytest.raises(BitstreamError, match="repeats a scale"):
        after_the_base.push(free, repeated)
    contents = contents_of(stream, coded)
    first = next(s for s in stream.segments if s.layer and contents[s.id].fragments == 1)
    again = Contents(contents[first.id].form, contents[first.id].body, reference=contents[first.id].reference)
    copy = again.to_bytes(free, coded.layout)
    twice = [(first.id, first.payload), (free, copy)]
    assert after_the_base.push_all(twice).damaged == 1
    assert after_the_base.status.decoded == len(base) + 1
    with pytest.raises(BitstreamError, match="repeats a level"):
        after_the_base.push(free, copy)


def test_a_level_of_a_base_that_is_not_whole_is_damage(codec: Rmpgc, stream: LayeredStream, coded: CodedPhoto) -> None:
    contents = contents_of(stream, coded)
    part = [s for s in stream.segments if s.layer == 0 and DEPTH.runs[contents[s.id].run][1] < SCALES - 1]
    assert part
    decoder, free = pushed(codec, stream, part), len(stream.segments)
    known = decoder.status
    with pytest.raises(BitstreamError, match="not whole"):
        decoder.push(free, Contents(ALL, b"", reference=part[-1].id).to_bytes(free, coded.layout))
    assert decoder.status == known


def test_ids_that_a_stream_cannot_have_are_refused_and_no_more_are_kept_than_it_has(
    codec: Rmpgc, stream: LayeredStream
) -> None:
    decoder, payload = codec.decoder(stream.header), stream.segments[-1].payload
    layout = layout_of(stream.header.width, stream.header.height)
    for number in (0, -1, 0x10000):
        with pytest.raises(BitstreamError, match="out of range"):
            decoder.push(number, payload)
    for number in range(1, len(stream.segments) + 1):
        decoder.push(40_000 + number, Contents(ALL, b"", reference=30_000 + number).to_bytes(40_000 + number, layout))
    with pytest.raises(BitstreamError, match="has only"):
        decoder.push(1, stream.segments[0].payload)

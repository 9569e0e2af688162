from __future__ import annotations

import numpy as np
import pytest

from progressive.codec import Photo
from progressive.codecs.rmpgc.codec import CodedPhoto, Rmpgc
from progressive.codecs.rmpgc.importance import EMPHASIS, block_importance
from progressive.errors import UsageError
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import LayeredStream

CONTEXTS = ("reconstruct", "hybrid", "classify")
RIGHT = CoarseMap(np.array([[0, 3, 7]], np.uint8))
"""Meaning grows to the right: of six blocks, 2 and 5 have most."""


def weights(coded: CodedPhoto, context: str) -> np.ndarray:
    return block_importance(RIGHT, coded.layout, context)


@pytest.mark.parametrize("context", CONTEXTS)
def test_ranking_a_coded_photo_makes_the_stream_that_encoding_makes(
    codec: Rmpgc, photo: Photo, coded: CodedPhoto, context: str
) -> None:
    stream = codec.encode(photo, max_payload=400, context=context)
    assert codec.rank(coded, max_payload=400, context=context) == stream
    sent = codec.sent_importance(stream.header)
    assert (sent is None) == (context == "reconstruct")
    if sent is not None and coded.importance is not None:
        assert np.array_equal(sent, coded.importance.levels)


def test_every_context_shows_the_same_picture_in_the_end(codec: Rmpgc, coded: CodedPhoto) -> None:
    def picture(stream: LayeredStream) -> Photo:
        decoder = codec.decoder(stream.header)
        for segment in stream.segments:
            decoder.push(segment.id, segment.payload)
        return decoder.picture()

    pictures = [picture(codec.rank(coded, context=context)) for context in CONTEXTS]
    assert all(np.array_equal(pictures[0], other) for other in pictures[1:])


def test_meaning_counts_most_to_classify_and_not_to_reconstruct(coded: CodedPhoto) -> None:
    assert (weights(coded, "reconstruct") == 1).all()
    ratios = []
    for context in CONTEXTS:
        found = weights(coded, context)
        assert found.mean() == pytest.approx(1)
        assert (found > 0).all()
        ratios.append(found[0, 2] / found[0, 0])
        assert (np.diff(found, axis=1) >= 0).all()
    assert ratios == sorted(ratios)
    assert ratios[-1] > ratios[-2] > ratios[0] == 1
    assert set(EMPHASIS) == set(CONTEXTS)


def test_meaning_moves_blocks_forward(codec: Rmpgc, coded: CodedPhoto) -> None:
    """Half of the enhance bytes hold more of the meaningful blocks' error if the picture is for recognition."""
    marked = CodedPhoto(coded.layout, coded.coded, RIGHT)

    def share(context: str) -> float:
        stream = codec.rank(marked, max_payload=300, context=context)
        enhance = sum(len(s.payload) for s in stream.segments if s.layer)
        size, decoder = 0, codec.decoder(stream.header)
        for segment in stream.segments:
            size += len(segment.payload) if segment.layer else 0
            if size <= enhance / 2:
                decoder.push(segment.id, segment.payload)
        levels = decoder._tiles[0].levels
        return sum(float(coded.coded.tiles[0].gains[: levels[block], block].sum()) for block in (2, 5))

    assert share("classify") > share("reconstruct")


def test_an_unknown_context_is_refused(codec: Rmpgc, photo: Photo, coded: CodedPhoto) -> None:
    for call in (lambda: codec.encode(photo, context="best"), lambda: codec.rank(coded, context="best")):
        with pytest.raises(UsageError, match="unknown context 'best'"):
            call()

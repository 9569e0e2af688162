"""What lies far beyond a budget is not coded."""

from __future__ import annotations

import pytest

from progressive.codec import Photo, encode_for
from progressive.container import cut
from progressive.photos import sample_photo
from progressive.registry import load_codec


@pytest.fixture(scope="module")
def detailed() -> Photo:
    return sample_photo("astronaut")[:192, :256]


@pytest.mark.parametrize("budget", [600, 2500])
def test_a_stream_made_for_a_budget_is_the_whole_one_up_to_there(detailed: Photo, budget: int) -> None:
    codec = load_codec("rmpgc")
    whole, told = codec.encode(detailed, max_payload=300), encode_for(codec, detailed, budget, max_payload=300)
    assert whole.size > told.size > budget
    kept, expected = (cut(stream, budget).segments for stream in (told, whole))
    assert [(s.layer, s.payload) for s in kept] == [(s.layer, s.payload) for s in expected]


def test_a_budget_that_holds_everything_changes_nothing(detailed: Photo) -> None:
    codec = load_codec("rmpgc")
    whole = codec.encode(detailed)
    assert encode_for(codec, detailed, whole.size).segments == whole.segments


def test_contexts_that_send_fine_levels_first_are_coded_whole(detailed: Photo) -> None:
    codec = load_codec("rmpgc")
    whole = codec.encode(detailed, context="classify")
    assert encode_for(codec, detailed, 2000, context="classify").segments == whole.segments

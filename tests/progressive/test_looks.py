import pytest
from fake_codec import ThumbnailCodec, ThumbnailCodecWithLooks

from progressive.errors import UsageError
from progressive.looks import prepared_look, wanted_looks


def test_a_codec_shows_the_look_that_it_has_or_else_the_faithful_one() -> None:
    assert prepared_look(ThumbnailCodecWithLooks(), "natural") == "natural"
    assert prepared_look(ThumbnailCodec(), "natural") == "faithful"
    assert prepared_look(ThumbnailCodec(), "faithful") == "faithful"


def test_an_unknown_look_is_refused_with_those_there_are() -> None:
    for refused in (lambda: prepared_look(ThumbnailCodec(), "art"), lambda: wanted_looks("art", all_of_them=True)):
        with pytest.raises(UsageError, match="unknown look 'art': use one of faithful, natural"):
            refused()


def test_a_page_is_given_all_looks_behind_the_one_asked_for() -> None:
    assert wanted_looks("natural", all_of_them=True) == ("natural", "faithful")
    assert wanted_looks("natural", all_of_them=False) == ("natural",)

import pytest

from progressive.codec import DecoderStatus


@pytest.mark.parametrize(
    ("grey", "coarse", "words"),
    [
        (0.0, 0.0, ""),
        (1.0, 0.0, "100% of the picture grey"),
        (0.0, 0.125, "12% of the picture coarse"),
        (0.25, 0.5, "25% of the picture grey, 50% coarse"),
    ],
)
def test_a_status_tells_what_of_the_picture_is_missing(grey: float, coarse: float, words: str) -> None:
    assert DecoderStatus(not words, 0, 3, 0, grey, coarse).gaps_in_words() == words

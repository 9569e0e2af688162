import pytest

from progressive.errors import BitstreamError, UsageError
from progressive.registry import CODECS, DEFAULT_CODEC, codec_name, load_codec
from progressive.stream import FOREIGN


def test_numbers_name_one_codec_each_and_fit_their_byte() -> None:
    numbers = [entry.number for entry in CODECS.values()]
    assert len(set(numbers)) == len(numbers)
    assert all(0 < number < FOREIGN for number in numbers)
    assert {codec_name(entry.number): entry for entry in CODECS.values()} == CODECS
    assert DEFAULT_CODEC in CODECS


def test_an_unknown_name_is_our_mistake_and_an_unknown_number_the_stream_s() -> None:
    with pytest.raises(UsageError, match=DEFAULT_CODEC):
        load_codec("jpeg3000")
    with pytest.raises(BitstreamError, match="codec number 254"):
        codec_name(254)

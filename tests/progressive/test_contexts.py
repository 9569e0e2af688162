import numpy as np
import pytest

from progressive.codec import Photo, ProgressiveDecoder
from progressive.contexts import context_for, encode_in_context
from progressive.errors import UsageError
from progressive.stream import LayeredStream, StreamHeader


class Plain:
    """A codec of one order; tells what it was asked for in the header's parameters."""

    name = "plain"

    def encode(self, photo: Photo, *, max_payload: int = 1000) -> LayeredStream:
        return stream(f"{max_payload}")

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> ProgressiveDecoder:
        raise NotImplementedError


class Contextual(Plain):
    name = "contextual"

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str = "reconstruct") -> LayeredStream:
        return stream(f"{max_payload} {context}")


def stream(asked: str) -> LayeredStream:
    return LayeredStream(StreamHeader(200, bytes(8), 1, 1, 0, asked.encode()), ())


def test_a_codec_that_has_contexts_is_given_the_one_asked_for_or_the_default() -> None:
    assert context_for(Contextual(), "classify", default="hybrid") == "classify"
    assert context_for(Contextual(), None, default="hybrid") == "hybrid"
    assert context_for(Contextual(), None) is None


def test_a_codec_of_one_order_is_never_given_a_default() -> None:
    assert context_for(Plain(), None, default="hybrid") is None
    with pytest.raises(UsageError, match="plain orders its segments one way only: leave --context out"):
        context_for(Plain(), "hybrid")


def test_an_unknown_context_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown context 'art': use one of classify, reconstruct, hybrid"):
        context_for(Contextual(), "art")


def test_encoding_passes_on_what_was_decided() -> None:
    photo = np.zeros((1, 1, 3), np.uint8)
    assert encode_in_context(Contextual(), photo, max_payload=300, context="hybrid").header.parameters == b"300 hybrid"
    assert encode_in_context(Contextual(), photo, max_payload=300).header.parameters == b"300 reconstruct"
    assert encode_in_context(Plain(), photo, max_payload=300).header.parameters == b"300"

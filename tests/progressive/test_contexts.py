import pytest
from fake_codec import ThumbnailCodec, ThumbnailCodecWithContexts

from progressive.contexts import context_for
from progressive.errors import UsageError


def test_a_codec_that_has_contexts_is_given_the_one_asked_for_or_the_default() -> None:
    assert context_for(ThumbnailCodecWithContexts(), "classify", default="hybrid") == "classify"
    assert context_for(ThumbnailCodecWithContexts(), None, default="hybrid") == "hybrid"
    assert context_for(ThumbnailCodecWithContexts(), None) is None


def test_a_codec_of_one_order_is_never_given_a_default() -> None:
    assert context_for(ThumbnailCodec(), None, default="hybrid") is None
    with pytest.raises(UsageError, match="thumbnails orders its segments one way only: leave --context out"):
        context_for(ThumbnailCodec(), "hybrid")


def test_an_unknown_context_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown context 'art': use one of classify, reconstruct, hybrid"):
        context_for(ThumbnailCodecWithContexts(), "art")

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import UsageError
from progressive.transport.webrtc.address import WebRtcAddress, parse_webrtc_url


def test_an_address_prints_as_it_was_written():
    for url in ("webrtc://127.0.0.1:8080", "webrtc://[::1]:80", "webrtc://camera.local:0"):
        assert str(parse_webrtc_url(url)) == url
    assert parse_webrtc_url("webrtc://[::1]:80/").http == "http://[::1]:80"


@pytest.mark.parametrize(
    "url",
    ["webrtc://", "webrtc://host", "webrtc://:80", "webrtc://host:port", "webrtc://host:70000", "webrtc://a@host:80"]
    + ["webrtc://host:80/photo", "webrtc://host:80?token=x", "http://host:80", "webrtc://[::1:80"],
)
def test_what_is_no_address_is_refused_with_its_form(url: str) -> None:
    with pytest.raises(UsageError, match="webrtc://HOST:PORT"):
        parse_webrtc_url(url)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_usage_error(text: str) -> None:
    with suppress(UsageError):
        assert isinstance(parse_webrtc_url("webrtc://" + text), WebRtcAddress)

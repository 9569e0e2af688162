"""Whatever comes over HTTP, over the channels and to the ports of a sender that serves: it is dropped, and it goes on.

`PROGRESSIVE_FUZZ_CASES` sets the number of cases of each test; `python -m benchmarks.fuzz` runs many.
"""

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_fuzz import DAMAGE, POOL
from test_fuzz import with_good_checksum as as_a_lying_peer
from webrtc_sender import LAST, MAX_RECEIVERS, FuzzedSender

from progressive.errors import WireError
from progressive.transport.webrtc.description import MAX_BYTES, parse_description

CASES = int(os.environ.get("PROGRESSIVE_FUZZ_CASES", "100"))
fuzz = settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=CASES <= 100
)


@pytest.fixture(scope="module")
def sender() -> Iterator[FuzzedSender]:
    running = FuzzedSender()
    yield running
    running.close()


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def mangled(offer: str, places: list[int], junk: str, damage: Callable[[bytes], bytes]) -> bytes:
    """The offer with lines exchanged, doubled, left out or replaced, and then damaged."""
    lines = lines_of(offer)
    for place in places:
        here, there, how = place % len(lines), place // 64 % len(lines), place // 4096 % 4
        if how == 0:
            lines[here], lines[there] = lines[there], lines[here]
        elif how == 1:
            lines.insert(here, lines[there])
        elif how == 2 and len(lines) > 1:
            del lines[here]
        else:
            lines[here] = lines[here][: len(lines[here]) * (place % 7) // 7] + junk + "\r\n"
    return damage("".join(lines).encode())


PLACES = st.lists(st.integers(0, 0xFFFF), max_size=4)
JUNK = st.text(max_size=30) | st.sampled_from(
    ["99999999999999999999", "::", "%", "\x00", "a=candidate:", "m=audio 9 X 0"]
)


@fuzz
@given(PLACES, JUNK, st.just(bytes) | DAMAGE)
def test_any_offer_is_understood_by_the_library_too_or_refused(sender, places, junk, damage):
    text = mangled(sender.offer, places, junk, damage).decode(errors="replace")
    try:
        offer = parse_description(text)
    except WireError:
        return
    written = offer.to_sdp()
    assert parse_description(written).to_sdp() == written
    assert len(SessionDescription.parse(written).media) == 1


def ask(port: int, request: bytes, *, whole: bool = True, within_s: float = 0.5) -> bytes:
    """The beginning of the answer to these bytes; empty if there is none, or if more of the request was expected."""
    with socket.create_connection(("127.0.0.1", port), timeout=within_s) as connection:
        try:
            connection.sendall(request)
            if not whole:
                connection.shutdown(socket.SHUT_WR)
            return connection.recv(64)
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            return b""


@fuzz
@given(
    st.sampled_from(
        [b"POST /whep", b"DELETE /whep/x", b"OPTIONS *", b"GET /", b"POST /" + b"x" * 9000, b"\x16\x03\x01"]
    ),
    st.lists(
        st.tuples(
            st.sampled_from([b"Host", b"Origin", b"Content-Type", b"Authorization", b"Transfer-Encoding"]),
            st.binary(max_size=40),
        ),
        max_size=4,
    ),
    st.integers(-1, MAX_BYTES * 2),
    PLACES,
    JUNK,
    st.just(bytes) | DAMAGE,
)
def test_any_request_is_answered_or_cut_off_and_the_server_goes_on(sender, line, headers, length, places, junk, damage):
    body = mangled(sender.offer, places, junk, damage)
    declared = len(body) if length < 0 else length
    request = line + b" HTTP/1.1\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    request += b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % declared + body
    status = ask(sender.port, request, whole=declared <= len(body))
    assert status[:13] not in (b"HTTP/1.1 500 ", b"HTTP/1.0 500 ")
    again = b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n"
    assert ask(sender.port, again, within_s=20.0).split()[1:2] == [b"200"]
    assert sender.exchange([]) <= MAX_RECEIVERS


REPORTS = st.builds(lambda datagram, damage: damage(datagram), st.sampled_from([LAST, *POOL]), DAMAGE)


@fuzz
@given(st.lists(REPORTS | REPORTS.map(as_a_lying_peer) | st.binary(max_size=3000) | st.text(max_size=40), max_size=6))
def test_whatever_a_receiver_sends_is_bounded_and_its_reports_come_through(sender, messages):
    sender.exchange(messages)


STUN = bytes.fromhex("000100002112a442") + bytes(12)
FORGED = st.sampled_from(
    [
        STUN,
        STUN[:3],
        b"\x16\xfe\xfd" + bytes(30),
        b"\x17\xfe\xfd" + bytes(40),
        b"\x15\xfe\xfd" + bytes(12),
        b"\x80\x60" + bytes(20),
        b"\x80\xc8" + bytes(20),
        *POOL[:2],
    ]
)


@fuzz
@given(
    st.lists(
        st.builds(lambda datagram, damage: damage(datagram), FORGED, st.just(bytes) | DAMAGE), min_size=1, max_size=6
    )
)
def test_datagrams_that_others_send_to_the_port_of_a_connection_do_not_touch_it(sender, datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for datagram in datagrams:
            stranger.sendto(datagram, sender.socket_address)
    sender.exchange([])

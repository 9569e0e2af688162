"""Whatever happens to packets and files: no crash, no hang, nothing past the caps, never a wrong segment.

`PROGRESSIVE_FUZZ_CASES` sets the number of cases of each test; `python -m benchmarks.fuzz` runs many.
"""

import os
import struct
from collections.abc import Callable
from functools import cache

import google_crc32c
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from streams import make_stream

from progressive.container import read_stream, stream_to_bytes
from progressive.errors import BitstreamError, WireError
from progressive.wire.inner_parity import add_inner_parity, correct_datagram
from progressive.wire.packet import parse_packet
from receiver.events import SegmentReceived, StreamEnded
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

CASES = int(os.environ.get("PROGRESSIVE_FUZZ_CASES", "300"))
fuzz = settings(
    max_examples=CASES, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=CASES <= 300
)

STREAMS = {
    stream_id: make_stream(base=stream_id, enhance=6, payload=(1, 90), seed=stream_id) for stream_id in range(1, 4)
}
CAPS = ReceiverSettings(max_held_bytes=600, max_blocks=3)

Damage = Callable[[bytes], bytes]


@cache
def datagrams(stream_id: int) -> tuple[bytes, ...]:
    """All that a sender sends of one of the streams: sources, parity, the end."""
    sender = SenderSession(
        STREAMS[stream_id],
        SenderSettings(8000, packet_size=200, deadline_s=4, feedback=False),
        stream_id=stream_id,
        now=0,
    )
    sent: list[bytes] = []
    while (now := sender.next_timer()) is not None:
        sent += sender.datagrams_to_send(now)
        sender.handle_timer(now)
    return tuple(sent)


POOL = [datagram for stream_id in STREAMS for datagram in datagrams(stream_id)]
FILES = [stream_to_bytes(stream) for stream in STREAMS.values()]


def flip(places: list[int]) -> Damage:
    def damage(data: bytes) -> bytes:
        damaged = bytearray(data)
        for place in places:
            damaged[place // 8 % len(damaged)] ^= 1 << place % 8
        return bytes(damaged)

    return damage


PLACES = st.integers(0, 0xFFFF)
DAMAGE = st.one_of(
    st.just(bytes),
    st.lists(PLACES, min_size=1, max_size=6, unique=True).map(flip),
    PLACES.map(lambda place: lambda data: data[: place % len(data)]),
    st.binary(min_size=1, max_size=20).map(lambda tail: lambda data: data + tail),
    st.tuples(PLACES, st.binary(max_size=20)).map(
        lambda cut: lambda data: data[: cut[0] % len(data)] + cut[1] + data[cut[0] % len(data) :]
    ),
)
DAMAGED = st.builds(lambda datagram, damage: damage(datagram), st.sampled_from(POOL), DAMAGE)


def with_good_checksum(datagram: bytes) -> bytes:
    """The datagram as a peer would send it who lies rather than one whose packets were damaged."""
    body = bytearray(datagram[:-4])
    if len(body) >= 17:
        body[15:17] = struct.pack("!H", len(body) - 17)
    return bytes(body) + struct.pack("!I", google_crc32c.value(bytes(body)))


def play(arriving: list[bytes]) -> list[SegmentReceived]:
    """Gives a receiver these datagrams, its timers in between, and ends by silence; the segments that come out."""
    session = ReceiverSession(CAPS, now=0.0)
    segments = []
    now = 0.0
    for datagram in [*arriving, None]:
        if datagram is not None:
            session.receive_datagram(datagram, now)
        assert session.held_bytes <= CAPS.max_held_bytes
        for _ in range(200):
            session.datagrams_to_send(now)
            timer = session.next_timer()
            if timer is None or (datagram is not None and timer > now + 0.2):
                break
            now = max(now, timer)
            session.handle_timer(now)
        else:
            raise AssertionError("the receiver asks to be woken for ever")
        segments += [event for event in iter(session.next_event, None) if isinstance(event, SegmentReceived)]
        now += 0.01
    return segments


@fuzz
@given(st.lists(DAMAGED, max_size=12))
def test_damaged_packets_never_give_a_wrong_segment(arriving):
    payloads = {(i, segment.id): segment.payload for i, stream in STREAMS.items() for segment in stream.segments}
    for event in play(arriving):
        assert payloads[event.stream_id, event.segment_id] == event.payload


@fuzz
@given(st.lists(DAMAGED.map(with_good_checksum), max_size=12))
def test_packets_of_a_lying_peer_never_crash_nor_pass_the_caps(arriving):
    play(arriving)


@fuzz
@given(st.permutations(datagrams(3)), st.integers(0, 60))
def test_any_subset_in_any_order_gives_each_segment_once(order, count):
    arriving = [datagram for datagram in order[:count] if len(datagram) > 60]
    session = ReceiverSession(ReceiverSettings(), now=0.0)
    for datagram in arriving:
        session.receive_datagram(datagram, 0.0)
    events = list(iter(session.next_event, None))
    payloads = [(event.segment_id, event.payload) for event in events if isinstance(event, SegmentReceived)]
    assert len(set(payloads)) == len(payloads)
    assert set(payloads) <= {(segment.id, segment.payload) for segment in STREAMS[3].segments}
    assert not any(isinstance(event, StreamEnded) for event in events)


@fuzz
@given(DAMAGED | st.binary(max_size=120), st.integers(0, 40))
def test_a_datagram_parses_to_itself_or_is_refused(datagram, inner_parity):
    try:
        packet = parse_packet(correct_datagram(datagram, inner_parity))
    except WireError:
        return
    assert inner_parity or packet.to_bytes() == datagram
    assert correct_datagram(add_inner_parity(packet.to_bytes(), inner_parity), inner_parity) == packet.to_bytes()


@fuzz
@given(st.sampled_from(range(len(FILES))), st.lists(DAMAGE, min_size=1, max_size=3))
def test_a_damaged_file_never_gives_a_wrong_segment(which, damages):
    data = FILES[which]
    for damage in damages:
        data = damage(data) if data else data
    try:
        contents = read_stream(data)
    except BitstreamError:
        return
    stream = STREAMS[which + 1]
    assert contents.header == stream.header
    assert set(contents.segments) <= {(segment.id, segment.payload) for segment in stream.segments}

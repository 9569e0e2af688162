"""Well-formed but hostile: claims, sequences, streams and replays that nobody honest sends. Nothing is raised, what is
kept stays within its bounds, and an honest stream beside them arrives.

`PROGRESSIVE_FUZZ_CASES` sets the number of cases of each test; `python -m benchmarks.fuzz` runs many.
"""

import random
from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream
from test_fuzz import CAPS, fuzz

from progressive.errors import WireError
from progressive.stream import MAX_SIDE, StreamHeader
from progressive.wire.control import End, Report, parse_message
from progressive.wire.packet import MAX_SOURCES, MAX_STRIPED, Kind, Packet, parse_packet
from progressive.wire.placement import Placement, header_data
from progressive.wire.records import HEADER_ID, Record, write_records
from progressive.wire.sealing import MAX_AGE_S, SealedEnvelope
from progressive.wire.stripes import Stripe, write_stripes
from receiver import canvases
from receiver.canvases import Canvases
from receiver.events import PacketReceived, SegmentReceived, StreamStarted
from receiver.loss_statistics import LAST_SEQUENCE, WINDOW
from receiver.session import MAX_ENDED_STREAMS, ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

NOW = 1.8e9
KEY = bytes(32)
STREAM = make_stream(base=2, enhance=6, payload=(1, 90), seed=1)

IDS = st.integers(0, 3) | st.integers(0, 0xFFFFFFFF)
SEQUENCES = st.one_of(
    st.integers(0, 40),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFF).map(lambda step: step << 16),
    st.integers(LAST_SEQUENCE - 2 * WINDOW, 0xFFFFFFFF),
)
SIDES = st.integers(1, 64) | st.integers(1, MAX_SIDE) | st.just(8000)
HEADERS = st.builds(
    StreamHeader, st.integers(0, 255), st.binary(min_size=8, max_size=8), SIDES, SIDES, st.integers(0, 0xFFFF)
)
PLACEMENTS = st.none() | st.builds(Placement, IDS, SIDES, SIDES, st.integers(0, 64), st.integers(0, 64))
RECORDS = st.one_of(
    st.builds(lambda header, place: Record(HEADER_ID, header_data(header, place)), HEADERS, PLACEMENTS),
    st.builds(Record, st.integers(1, 0xFFFF), st.binary(max_size=40)),
)
SOURCES = st.lists(RECORDS, max_size=4).map(write_records) | st.binary(max_size=60)


@st.composite
def data_packets(draw):
    k = draw(st.integers(1, 3) | st.integers(1, MAX_SOURCES))
    index = draw(st.integers(0, k - 1) | st.integers(0, 255))
    block = draw(st.integers(0, 3) | st.integers(0, 0xFFFF))
    return Packet(
        Kind.DATA, draw(IDS), draw(SEQUENCES), draw(SOURCES), block, index, k, max(k, draw(st.integers(0, 255)))
    )


@st.composite
def striped_packets(draw):
    stripes = st.builds(Stripe, st.integers(0, 3), st.integers(1, 4), st.binary(min_size=1, max_size=40))
    payload = write_stripes(draw(st.lists(stripes, max_size=3)))
    return Packet(Kind.STRIPES, draw(IDS), draw(SEQUENCES), payload, index=draw(st.integers(0, MAX_STRIPED - 1)), n=9)


@st.composite
def control_packets(draw):
    stream = draw(IDS)
    end = End(stream=stream, more=draw(st.booleans()), repeats=draw(st.booleans()))
    return Packet(Kind.CONTROL, stream, draw(SEQUENCES), end.to_bytes())


PACKETS = st.one_of(data_packets(), data_packets(), striped_packets(), control_packets())
DELAYS = st.just(0.0) | st.floats(0, 100)


@fuzz
@given(st.lists(st.tuples(PACKETS, DELAYS), max_size=40))
def test_whatever_well_formed_packets_claim_nothing_is_raised_and_little_is_kept(arriving):
    session, now = ReceiverSession(CAPS, now=0), 0.0
    for packet, delay_s in arriving:
        now += delay_s
        session.handle_timer(now)
        session.receive_datagram(packet.to_bytes(), now)
        assert session.held_bytes <= CAPS.max_held_bytes
        assert len(session._ended) <= MAX_ENDED_STREAMS
        for datagram in session.datagrams_to_send(now):
            assert isinstance(parse_message(parse_packet(datagram).payload), Report)
    statistics = session.statistics
    assert min(statistics.received, statistics.lost, statistics.recovered) >= 0
    segments = [event for event in iter(session.next_event, None) if isinstance(event, SegmentReceived)]
    assert len({(event.stream_id, event.segment_id) for event in segments}) <= len(segments)


@fuzz
@given(st.lists(st.integers(0, 1 << 16), max_size=60), st.integers(0, 24))
def test_any_steps_of_the_sequence_leave_a_report_that_can_be_told(steps, first):
    session = ReceiverSession(ReceiverSettings(), now=0)
    sequence, data = first, write_records([Record(1, b"x")])
    for number, step in enumerate(steps):
        session.receive_datagram(Packet(Kind.DATA, 1, sequence, data, k=1, n=1).to_bytes(), float(number))
        sequence = min(0xFFFFFFFF, sequence + step * (1 << number % 17))
        assert len(session.datagrams_to_send(float(number) + 0.9)) <= 1


@fuzz
@given(st.lists(st.tuples(IDS, PLACEMENTS, st.integers(1, 9), st.integers(1, 9)), max_size=12))
def test_claimed_canvases_make_no_more_than_came_or_a_small_frame(shown):
    """At most MOST_GREY_PIXELS, 12 MB, for each of the four pictures that are kept."""
    canvas = Canvases()
    for stream, placement, width, height in shown:
        if placement is not None and placement.width * placement.height > 1 << 16:
            placement = Placement(placement.canvas, 8000, 8000, placement.left, placement.top)  # noqa: PLW2901
        part = np.zeros((height, width, 3), np.uint8)
        if placement is not None and (
            placement.left + width > placement.width or placement.top + height > placement.height
        ):
            continue  # such a header is refused when it is parsed
        picture = canvas.show(stream, placement, part)
        assert picture.shape[0] * picture.shape[1] <= max(width * height, canvases.MOST_GREY_PIXELS)
    assert canvas._pixels() <= 4 * canvases.MOST_GREY_PIXELS


@cache
def sealed(stream_id, sealed_s):
    """A stream that was sealed at that time, whole."""
    seals = SealedEnvelope(KEY, draw_salt=random.Random(stream_id).randbytes, clock=lambda: sealed_s)
    settings = SenderSettings(8000, packet_size=200, deadline_s=4, sealed=True, feedback=False)
    session, sent = SenderSession(STREAM, settings, stream_id=stream_id, now=0, envelope=seals), []
    while (timer := session.next_timer()) is not None:
        sent += session.datagrams_to_send(timer)
        session.handle_timer(timer)
    return tuple(sent)


AGES = (MAX_AGE_S + 1, MAX_AGE_S / 2, 10.0, 3.0)
RECORDED = st.sampled_from([datagram for n, age_s in enumerate(AGES) for datagram in sealed(100 + n, NOW - age_s)])


@fuzz
@given(st.lists(RECORDED, max_size=10), st.lists(RECORDED, max_size=30), st.randoms(use_true_random=False))
def test_what_was_recorded_ends_no_sealed_stream(before, meanwhile, rng):
    session = ReceiverSession(CAPS, now=0, envelope=SealedEnvelope(KEY, clock=lambda: NOW))
    for datagram in before:
        session.receive_datagram(datagram, 0.0)
    genuine = sealed(1, NOW)
    waiting = [(rng.randrange(1, len(genuine)), datagram) for datagram in meanwhile]
    for number, datagram in enumerate(genuine):
        for place, recorded in waiting:
            if place == number:
                session.receive_datagram(recorded, 0.1)
        session.receive_datagram(datagram, 0.1)
    events = list(iter(session.next_event, None))
    got = [event for event in events if isinstance(event, SegmentReceived) and event.stream_id == 1]
    assert {event.segment_id: event.payload for event in got} == {s.id: s.payload for s in STREAM.segments}
    assert sum(isinstance(event, StreamStarted) and event.stream_id == 1 for event in events) == 1
    after = [event.stream_id for event in events if isinstance(event, PacketReceived)]
    assert set(after[after.index(1) :]) == {1}
    assert session.done


@fuzz
@given(st.lists(st.tuples(RECORDED | st.sampled_from(sealed(1, NOW)), st.integers(0, 5)), max_size=30))
def test_no_datagram_opens_twice(arriving):
    opener = SealedEnvelope(KEY, clock=lambda: NOW)
    opened = []
    for datagram, _ in arriving:
        try:
            packet = opener.unwrap(datagram)
        except WireError:
            continue
        opened.append((packet.stream, packet.sequence))
    assert len(opened) == len(set(opened))
    assert len(opener._openers) <= len(AGES) + 1

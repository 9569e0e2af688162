"""Streams in short packets, both sessions against each other over simulated links."""

from dataclasses import replace

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.packing.packed import PackedStream
from progressive.stream import LayeredStream
from progressive.wire.packet import Kind
from progressive.wire.placement import Placement
from progressive.wire.short import is_short
from receiver.events import DatagramDropped, PacketReceived, SegmentReceived, StreamEnded, StreamStarted
from receiver.session import MAX_EARLY, ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

SETTINGS = SenderSettings(5000, packet_size=51, deadline_s=30)


def stream(seed: int = 0, payload: tuple[int, int] = (5, 76), parameters: int = 6) -> LayeredStream:
    made = make_stream(base=8, enhance=60, payload=payload, seed=seed)
    return replace(made, header=replace(made.header, parameters=bytes(parameters)))


def datagrams_of(session: SenderSession) -> list[bytes]:
    """All that a sender sends to nobody."""
    now, sent = 0.0, []
    while (timer := session.next_timer()) is not None:
        now = max(now, timer)
        session.handle_timer(now)
        sent += session.datagrams_to_send(now)
    return sent


def received(session: ReceiverSession) -> dict[int, bytes]:
    events = list(iter(session.next_event, None))
    return {event.segment_id: event.payload for event in events if isinstance(event, SegmentReceived)}


@settings(max_examples=12, deadline=None)
@given(
    size=st.sampled_from([40, 51, 115, 222, 255]),
    loss=st.floats(0, 0.4),
    largest=st.integers(40, 200),
    parameters=st.sampled_from([0, 3, 60, 255]),
    feedback=st.booleans(),
    seed=st.integers(0, 999),
)
def test_over_any_link_what_arrives_is_right_fits_and_both_ends_stop(
    size: int, loss: float, largest: int, parameters: int, feedback: bool, seed: int
) -> None:
    made = stream(seed, (5, largest), parameters)
    sender = SenderSession(made, replace(SETTINGS, packet_size=size, feedback=feedback), stream_id=seed, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    payloads = {segment.id: segment.payload for segment in made.segments}
    found: dict[int, bytes] = {}

    def take(_now: float, session: object, event: object) -> None:
        if isinstance(event, SegmentReceived):
            found[event.segment_id] = event.payload
        elif isinstance(event, PacketReceived):
            assert event.size <= size
        elif isinstance(event, StreamStarted):
            assert event.header.parameters == made.header.parameters

    link = LinkSettings(loss=LossModel(loss, 1.7), delay_s=0.05, jitter_s=0.2)
    routes = [Route(sender, Link(link, seed=seed), receiver), Route(receiver, Link(link, seed=seed + 1), sender)]
    simulate(routes, start_s=0.0, on_event=take, limit_s=120)
    assert all(payloads[number] == payload for number, payload in found.items())
    assert sender.done
    if not loss:
        assert len(found) == len(sender.stream.segments)
        assert not receiver.statistics.damaged


def test_segments_in_parts_are_sent_as_far_as_there_is_time() -> None:
    made = stream(payload=(5, 200))
    session = SenderSession(made, replace(SETTINGS, deadline_s=60), stream_id=1, now=0.0)
    assert len(session.stream.segments) == len(made.segments)
    few = SenderSession(made, replace(SETTINGS, deadline_s=8), stream_id=1, now=0.0)
    assert 8 < len(few.stream.segments) < len(made.segments)
    assert sum(few.plan.sizes) > 0.8 * 5000


def test_answers_are_short_as_well() -> None:
    sender, receiver = (
        SenderSession(stream(), SETTINGS, stream_id=1, now=0.0),
        ReceiverSession(ReceiverSettings(), now=0),
    )
    for step in range(200):
        now = step / 10
        for datagram in sender.datagrams_to_send(now):
            receiver.receive_datagram(datagram, now)
        for answer in receiver.datagrams_to_send(now):
            assert is_short(answer)
            assert len(answer) <= 40
            sender.receive_datagram(answer, now)
    assert sender.dropped == 0
    assert sender.done


def test_who_joins_late_reads_all_from_the_next_manifest_on() -> None:
    sent = datagrams_of(SenderSession(stream(), replace(SETTINGS, feedback=False), stream_id=1, now=0.0))
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    for number, datagram in enumerate(sent[40:]):
        receiver.receive_datagram(datagram, number / 10)
    assert receiver.statistics.damaged == receiver.statistics.lost == 0
    assert len(received(receiver)) == 68, "parity restores what came before"


def test_packets_that_no_manifest_explains_are_kept_up_to_a_bound() -> None:
    sent = datagrams_of(SenderSession(stream(), replace(SETTINGS, feedback=False), stream_id=1, now=0.0))
    data = [datagram for datagram in sent if datagram[0] & 15 == Kind.DATA]
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    for number in range(3 * MAX_EARLY):
        receiver.receive_datagram(data[number % len(data)], 0.0)
    assert receiver.statistics.damaged == 3 * MAX_EARLY
    dropped = [event for event in iter(receiver.next_event, None) if isinstance(event, DatagramDropped)]
    assert len(dropped) == 2 * MAX_EARLY


def test_a_part_of_a_frame_says_where_it_belongs() -> None:
    where = Placement(7, 1000, 900, 64, 32)
    packed = PackedStream.of(stream(), SETTINGS.payload_size, where, short=True)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    for datagram in datagrams_of(SenderSession(packed, replace(SETTINGS, feedback=False), stream_id=1, now=0.0)):
        receiver.receive_datagram(datagram, 0.0)
    events = list(iter(receiver.next_event, None))
    assert [event.placement for event in events if isinstance(event, StreamStarted)] == [where]
    assert isinstance(events[-1], StreamEnded)


def test_a_receiver_takes_one_stream_in_short_packets_and_the_next_in_long_ones() -> None:
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    for number, headers in enumerate(("short", "long", "auto")):
        sender_settings = replace(SETTINGS, headers=headers, packet_size=200, feedback=False)
        session = SenderSession(stream(number), sender_settings, stream_id=number, now=0.0, more=True)
        for datagram in datagrams_of(session):
            assert is_short(datagram) == (headers != "long")
            receiver.receive_datagram(datagram, float(number))
        assert len(received(receiver)) == len(session.stream.segments)


def test_what_cannot_be_short_is_long_or_refused() -> None:
    assert not SenderSettings(5000, packet_size=200, sealed=True).short
    assert not SenderSettings(5000, packet_size=200, protection="pet").short
    assert not SenderSettings(5000, packet_size=256).short
    assert SenderSettings(5000, packet_size=1000, headers="short").short
    for changes in ({"sealed": True}, {"protection": "pet"}):
        with pytest.raises(UsageError, match="leave --headers short out"):
            SenderSettings(5000, packet_size=200, headers="short", **changes)
    with pytest.raises(UsageError, match="packets of 39 bytes are too small: use 40 or more"):
        SenderSettings(5000, packet_size=39).max_segment_payload()
    with pytest.raises(UsageError, match="packets of 51 bytes are too small: use [0-9]+ or more"):
        SenderSettings(5000, packet_size=51, sealed=True).max_segment_payload()


@pytest.mark.parametrize(
    "items", ["", "0201", "020100", "0303ff01ff", "0303 01ff 41", "0204 0f 010203", "01 06 000000000000"]
)
def test_a_manifest_of_nonsense_is_dropped_or_tells_nothing(items: str) -> None:
    body = bytes([0x24]) + bytes(8) + bytes.fromhex(items)
    check = google_crc32c.value(bytes(4) + body) & 0xFFFF
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    receiver.receive_datagram(body + check.to_bytes(2, "big"), 0.0)
    events = [event for event in iter(receiver.next_event, None) if not isinstance(event, PacketReceived)]
    assert all(isinstance(event, DatagramDropped) for event in events)
    assert receiver.held_bytes == 0

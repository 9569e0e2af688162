"""Strangers without the key, and brokers that pass on anything: nothing wrong is taken, the stream goes on.

`PROGRESSIVE_FUZZ_CASES` sets the number of cases of each test; `python -m benchmarks.fuzz` runs many.
"""

import random
from dataclasses import dataclass
from functools import cache

from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream
from test_fuzz import CAPS, DAMAGE, fuzz, with_good_checksum

from progressive.transport.access import Access
from progressive.transport.inbox import INBOX_DATAGRAMS
from progressive.transport.mqtt.address import MqttAddress
from progressive.transport.mqtt.receiving import MqttReceiver
from progressive.wire.envelope import PlainEnvelope
from progressive.wire.packet import MAX_DATAGRAM
from progressive.wire.sealing import SealedEnvelope
from receiver.events import PacketReceived, SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.carousel import CarouselSession
from sender.events import ReportReceived
from sender.session import SenderSession
from sender.settings import SenderSettings

KEY, OTHER_KEY = bytes(32), bytes(range(32))
STREAM = make_stream(base=2, enhance=6, payload=(1, 90), seed=1)


def envelope(key, seed):
    if key is None:
        return PlainEnvelope()
    return SealedEnvelope(key, draw_salt=random.Random(seed).randbytes, clock=lambda: 1.8e9)


@cache
def first_pass(key, seed):
    """A session that has sent the stream, and what it sent."""
    settings = SenderSettings(8000, packet_size=200, deadline_s=4, serve=1.0, sealed=key is not None)
    sender = SenderSession(STREAM, settings, stream_id=5, now=0, envelope=envelope(key, seed))
    sent: list[bytes] = []
    while (now := sender.next_timer()) is not None:
        sent += sender.datagrams_to_send(now)
        sender.handle_timer(now)
    return sender, tuple(sent)


@cache
def reports(key, seed):
    """What a receiver of the first datagrams answers."""
    receiver = ReceiverSession(ReceiverSettings(receiver_id=7), now=0, envelope=envelope(key, seed))
    answers: list[bytes] = []
    for number, datagram in enumerate(first_pass(key, 1)[1]):
        receiver.receive_datagram(datagram, number / 10)
        answers += receiver.datagrams_to_send(number / 10)
    return tuple(answers)


GENUINE = st.sampled_from(first_pass(KEY, 1)[1])
FOREIGN = st.sampled_from([*first_pass(OTHER_KEY, 1)[1], *first_pass(None, 1)[1], *reports(KEY, 2)])
DAMAGED = st.builds(
    lambda datagram, damage: damage(datagram), GENUINE | FOREIGN, DAMAGE.filter(lambda d: d is not bytes)
)


@fuzz
@given(st.lists(GENUINE | FOREIGN | DAMAGED | DAMAGED.map(with_good_checksum) | st.binary(max_size=100), max_size=30))
def test_only_sealed_packets_are_taken_and_each_once(arriving):
    genuine = set(first_pass(KEY, 1)[1])
    session = ReceiverSession(CAPS, now=0, envelope=envelope(KEY, 9))
    arriving = [first_pass(KEY, 1)[1][0], *arriving]  # an end of which no stream was heard is not taken
    for datagram in arriving:
        session.receive_datagram(datagram, 0.0)
        session.datagrams_to_send(0.0)
    events = list(iter(session.next_event, None))
    taken = [event for event in events if isinstance(event, PacketReceived)]
    assert len(taken) == len(set(arriving) & genuine) or session.done
    for datagram in first_pass(KEY, 1)[1]:
        session.receive_datagram(datagram, 0.1)
    events += iter(session.next_event, None)
    got = [event for event in events if isinstance(event, SegmentReceived)]
    assert {event.segment_id: event.payload for event in got} == {s.id: s.payload for s in STREAM.segments}
    assert len(got) == len(STREAM.segments)


FORGED_REPORTS = st.sampled_from([*reports(OTHER_KEY, 3), *first_pass(KEY, 1)[1]])


@fuzz
@given(st.lists(FORGED_REPORTS | DAMAGED | st.binary(max_size=100), max_size=20), st.integers(0, 10))
def test_a_sender_believes_no_report_that_is_not_sealed(arriving, place):
    carousel = CarouselSession(first_pass(KEY, 1)[0], now=10.0)
    true = reports(KEY, 2)[-1]
    for datagram in [*arriving[:place], true, *arriving[place:], true]:
        carousel.receive_datagram(datagram, 10.0)
        carousel.datagrams_to_send(10.0)
    heard = [event for event in iter(carousel.next_event, None) if isinstance(event, ReportReceived)]
    assert {event.receiver for event in heard} <= {7}
    assert carousel.listeners <= 1
    assert not carousel.done


@dataclass
class FromBroker:
    """The fields of a message that are looked at."""

    payload: object
    retain: bool
    topic: str = "progressive/default/enhance"


PAYLOADS = st.one_of(
    st.sampled_from(first_pass(None, 1)[1]),
    DAMAGED,
    st.binary(max_size=100),
    st.integers(MAX_DATAGRAM - 1, 2 * MAX_DATAGRAM).map(bytes),
    st.none(),
    st.text(max_size=5),
    st.floats(),
)


@fuzz
@given(st.lists(st.builds(FromBroker, PAYLOADS, st.booleans()), max_size=30))
def test_whatever_a_broker_passes_on_is_counted_or_dropped(messages):
    receiver = MqttReceiver(MqttAddress("127.0.0.1", 1883), Access(), print)
    for message in messages:
        receiver._take(message)
    session = ReceiverSession(CAPS, now=0)
    waiting = list(receiver._inbox._items)
    for datagram in waiting:
        assert 0 < len(datagram) <= MAX_DATAGRAM
        session.receive_datagram(datagram, 0.0)
        assert session.held_bytes <= CAPS.max_held_bytes
    empty = sum(isinstance(message.payload, bytes) and not message.payload for message in messages)
    assert receiver.refused + len(waiting) + empty == len(messages)
    for event in iter(session.next_event, None):
        if isinstance(event, SegmentReceived):
            assert event.payload == STREAM.segments[event.segment_id - 1].payload


def test_a_flood_from_a_broker_fills_no_memory():
    receiver = MqttReceiver(MqttAddress("127.0.0.1", 1883), Access(), print)
    for _ in range(3 * INBOX_DATAGRAMS):
        receiver._take(FromBroker(bytes(100), retain=False))
    assert len(receiver._inbox._items) == INBOX_DATAGRAMS

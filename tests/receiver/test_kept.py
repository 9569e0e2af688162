"""Packets that a broker had kept, of streams of which perhaps nobody is there any more."""

from __future__ import annotations

from streams import make_stream

from progressive.stream import LayeredStream
from progressive.wire.control import End
from progressive.wire.envelope import PlainEnvelope
from progressive.wire.fec import BlockEncoder
from progressive.wire.packet import Kept, Kind, Packet
from progressive.wire.records import HEADER_ID, Record, write_records
from receiver.events import DatagramDropped, ReceiverEvent, SegmentReceived, StreamEnded, StreamStarted
from receiver.kept import MAX_KEPT_STREAMS
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.farewell import reminder

SETTINGS = ReceiverSettings(silence_s=5.0)
STALE, LIVE = 7, 8


def base_of(stream_id: int, stream: LayeredStream) -> list[bytes]:
    """A base of one packet for each segment, and an enhance packet."""
    header = Record(HEADER_ID, stream.header.to_bytes())
    base = BlockEncoder(
        [write_records([header, Record(s.id, s.payload)]) for s in stream.segments if not s.layer],
    )
    (enhance,) = (s for s in stream.segments if s.layer)
    packets = [
        Packet(Kind.DATA, stream_id, i, base.payload(i), block=0, index=i, k=base.k, n=base.k) for i in range(base.k)
    ]
    payload = write_records([Record(enhance.id, enhance.payload)])
    packets.append(Packet(Kind.DATA, stream_id, base.k, payload, block=1, index=0, k=1, n=1))
    return [packet.to_bytes() for packet in packets]


OLD = base_of(STALE, make_stream(base=4, enhance=1, seed=1))
NEW = base_of(LIVE, make_stream(base=2, enhance=1, seed=2))


def kept(datagrams: list[bytes]) -> list[bytes]:
    return [Kept(datagram) for datagram in datagrams]


def end_of(stream_id: int, sequence: int, *, more: bool = False) -> bytes:
    return Packet(Kind.CONTROL, stream_id, sequence, End(stream=stream_id, more=more).to_bytes()).to_bytes()


def session_of(*datagrams: bytes, now: float = 0.0) -> ReceiverSession:
    session = ReceiverSession(SETTINGS, now=now)
    for datagram in datagrams:
        session.receive_datagram(datagram, now)
    return session


def events_of(session: ReceiverSession) -> list[ReceiverEvent]:
    return list(iter(session.next_event, None))


def happened(events: list[ReceiverEvent]) -> list[tuple[type, int]]:
    return [
        (type(event), event.stream_id)
        for event in events
        if isinstance(event, StreamStarted | StreamEnded | SegmentReceived)
    ]


def test_what_another_stream_left_behind_ends_no_live_one() -> None:
    """The new base replaced the first two of four packets that the broker kept of the old one."""
    session = session_of(NEW[0], *kept(OLD[2:4]), *NEW[1:])
    events = events_of(session)
    assert {stream for _, stream in happened(events)} == {LIVE}
    assert StreamEnded not in {kind for kind, _ in happened(events)}
    assert [event.reason for event in events if isinstance(event, DatagramDropped)] == ["left behind"] * 2
    session.receive_datagram(end_of(LIVE, 9), 0.1)
    assert events_of(session)[-1] == StreamEnded(LIVE, "complete", more=False)
    assert session.done


def test_a_late_receiver_takes_the_stream_whose_base_is_whole_whichever_the_broker_tells_first() -> None:
    for first, second in ((OLD[2:4], NEW[:2]), (NEW[:2], OLD[2:4])):
        session = session_of(*kept(first), *kept(second))
        assert happened(events_of(session)) == [(StreamStarted, LIVE), (SegmentReceived, LIVE), (SegmentReceived, LIVE)]
        session.receive_datagram(NEW[2], 0.2)
        assert happened(events_of(session)) == [(SegmentReceived, LIVE)]


def test_a_packet_that_goes_by_tells_which_of_the_kept_ones_go_with_it() -> None:
    session = session_of(*kept(OLD[2:4]), *kept(NEW[1:2]))
    assert events_of(session) == []
    session.receive_datagram(NEW[0], 0.1)
    assert happened(events_of(session)) == [(StreamStarted, LIVE), (SegmentReceived, LIVE), (SegmentReceived, LIVE)]


def test_a_base_left_behind_gives_way_to_a_stream_that_goes_by() -> None:
    session = session_of(*kept(OLD[:4]))
    assert {stream for _, stream in happened(events_of(session))} == {STALE}
    for datagram in NEW[:2]:
        session.receive_datagram(datagram, 0.5)
    assert [event.stream_id for event in events_of(session) if isinstance(event, StreamStarted)] == [LIVE]


def test_with_kept_packets_alone_silence_is_as_long_as_asked_for() -> None:
    for datagrams in (OLD[:4], OLD[1:3]):
        session = session_of(*kept(datagrams), now=100.0)
        while (timer := session.next_timer()) is not None and timer <= 200.0:
            session.datagrams_to_send(timer)
            session.handle_timer(timer)
            if session.done:
                break
        assert timer == 105.0
        assert events_of(session)[-1] == StreamEnded(STALE, "silence", more=False)


def test_who_has_but_a_kept_base_hears_that_others_come_and_waits_for_them() -> None:
    session = session_of(*kept(NEW[:2]))
    session.receive_datagram(reminder(LIVE, 40, PlainEnvelope()), 4.0)
    session.handle_timer(4.3)
    assert events_of(session)[-1] == StreamEnded(LIVE, "ended", more=True)
    assert not session.done
    assert session.statistics.lost == 0


def test_an_end_that_was_kept_ends_nothing() -> None:
    session = session_of(*NEW[:2], Kept(end_of(LIVE, 5)), Kept(end_of(STALE, 5)))
    session.handle_timer(1.0)
    assert not [event for event in events_of(session) if isinstance(event, StreamEnded)]
    assert not session.done


def test_the_end_of_another_stream_ends_a_photo_only_if_nothing_more_of_it_comes() -> None:
    session = session_of(NEW[0])
    session.receive_datagram(NEW[1], 0.2)
    session.receive_datagram(end_of(99, 0), 0.3)
    session.handle_timer(1.0)
    session.receive_datagram(NEW[2], 1.1)
    session.handle_timer(4.0)
    assert not [event for event in events_of(session) if isinstance(event, StreamEnded)]

    session = session_of(NEW[0])
    session.receive_datagram(NEW[1], 0.1)
    session.receive_datagram(end_of(99, 0), 0.2)
    ended_at = 0.0
    while not session.done and (timer := session.next_timer()) is not None:
        session.datagrams_to_send(timer)
        session.handle_timer(ended_at := timer)
    assert ended_at < SETTINGS.silence_s
    assert events_of(session)[-1] == StreamEnded(LIVE, "ended", more=False)


def test_any_number_of_streams_left_behind_takes_bounded_memory() -> None:
    session = session_of(*(Kept(base_of(stream, make_stream(base=4, enhance=1))[1]) for stream in range(500)))
    session.receive_datagram(NEW[0], 0.1)
    assert {stream for _, stream in happened(events_of(session))} == {LIVE}
    assert MAX_KEPT_STREAMS < 10

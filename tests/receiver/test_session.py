from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import UsageError
from progressive.wire.control import End, parse_message
from progressive.wire.expected_quality import Curve
from progressive.wire.fec import BlockEncoder
from progressive.wire.inner_parity import add_inner_parity, correct_datagram
from progressive.wire.manifest import Manifest
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.placement import Placement, header_data
from progressive.wire.records import HEADER_ID, Record, write_records
from receiver.events import (
    DatagramDropped,
    PacketReceived,
    PacketRecovered,
    QualityTold,
    SegmentReceived,
    StreamEnded,
    StreamStarted,
)
from receiver.session import MAX_ENDED_STREAMS, ReceiverSession
from receiver.settings import ReceiverSettings

STREAM_ID = 9
STREAM = make_stream(base=2, enhance=4, payload=(5, 40))
SETTINGS = ReceiverSettings()


def datagrams_of(stream=STREAM, stream_id=STREAM_ID):
    """One block of all segments, the header in each source, two parity packets."""
    header = Record(HEADER_ID, stream.header.to_bytes())
    encoder = BlockEncoder([write_records([header, Record(s.id, s.payload)]) for s in stream.segments])
    return [
        Packet(Kind.DATA, stream_id, i, encoder.payload(i), block=0, index=i, k=encoder.k, n=encoder.k + 2).to_bytes()
        for i in range(encoder.k + 2)
    ]


def end_of(stream_id=STREAM_ID, sequence=8, more=False):
    return Packet(Kind.CONTROL, stream_id, sequence, End(stream=stream_id, more=more).to_bytes()).to_bytes()


def events_of(session):
    """What happened to streams and segments."""
    return [
        event for event in all_events_of(session) if isinstance(event, StreamStarted | SegmentReceived | StreamEnded)
    ]


def all_events_of(session):
    return list(iter(session.next_event, None))


def flip_a_bit(datagram, data):
    if not datagram:
        return datagram
    place, bit = data.draw(st.integers(0, len(datagram) - 1)), data.draw(st.integers(0, 7))
    return datagram[:place] + bytes([datagram[place] ^ 1 << bit]) + datagram[place + 1 :]


def reports_of(session, now):
    return [parse_message(parse_packet(datagram).payload) for datagram in session.datagrams_to_send(now)]


def make_session(settings=SETTINGS, datagrams=(), now=0.0):
    session = ReceiverSession(settings, now=now)
    for datagram in datagrams:
        session.receive_datagram(datagram, now)
    return session


def test_a_stream_is_started_received_and_ended():
    session = make_session(datagrams=[*datagrams_of()[:6], end_of()])
    assert events_of(session) == [
        StreamStarted(STREAM_ID, STREAM.header, first_s=0.0),
        *(SegmentReceived(STREAM_ID, s.id, s.payload, recovered=False) for s in STREAM.segments),
        StreamEnded(STREAM_ID, "complete", more=False),
    ]
    assert session.done


def test_the_fate_of_every_packet_is_told():
    packets = datagrams_of()
    session = make_session()
    for time_s, number in enumerate((0, 2, 1, 4, 4, 6, 7, 5)):  # 3 is lost; 5 comes when parity has restored it
        session.receive_datagram(packets[number], float(time_s))
    session.receive_datagram(b"nonsense", 8.0)
    session.receive_datagram(end_of(), 9.0)
    session.receive_datagram(packets[3], 10.0)
    events = all_events_of(session)
    received = [event for event in events if isinstance(event, PacketReceived)]
    assert [(event.sequence, event.kind, event.late) for event in received] == [
        (0, "source", False),
        (2, "source", False),
        (1, "source", True),
        (4, "source", False),
        (6, "parity", False),
        (7, "parity", False),
        (5, "source", True),
        (8, "control", False),
    ]
    assert [(event.received, event.expected) for event in received][2:5] == [(3, 3), (4, 5), (5, 7)]
    assert (received[0].blocks, received[0].index, received[0].size) == (((0, 6),), 0, len(packets[0]))
    assert (received[-1].time_s, received[-1].blocks) == (9.0, ())
    restored = [event for event in events if isinstance(event, PacketRecovered)]
    assert restored == [PacketRecovered(STREAM_ID, 0, index) for index in (3, 5)]
    assert [event.reason for event in events if isinstance(event, DatagramDropped)] == [
        "duplicate",
        "damaged",
        "after the end",
    ]


@given(st.lists(st.sampled_from(datagrams_of()), max_size=20))
def test_segments_are_right_and_come_once_in_any_order_with_duplicates_and_losses(datagrams):
    session = make_session(datagrams=datagrams)
    segments = {s.id: s.payload for s in STREAM.segments}
    received = [event for event in events_of(session) if isinstance(event, SegmentReceived)]
    assert len({event.segment_id for event in received}) == len(received)
    assert all(segments[event.segment_id] == event.payload for event in received)
    assert (len(received) == 6) == (len(set(datagrams)) >= 6)
    assert session.statistics.duplicates == len(datagrams) - len(set(datagrams))
    assert session.statistics.received == len(set(datagrams))


def test_a_part_of_a_frame_is_started_with_its_place():
    placement = Placement(canvas=3, width=1000, height=500, left=64, top=20)
    segment = STREAM.segments[0]
    records = [Record(HEADER_ID, header_data(STREAM.header, placement)), Record(segment.id, segment.payload)]
    packet = Packet(Kind.DATA, STREAM_ID, 0, write_records(records), k=1, n=1)
    session = make_session(datagrams=[packet.to_bytes()])
    assert events_of(session)[0] == StreamStarted(STREAM_ID, STREAM.header, 0.0, placement)


def test_a_part_outside_its_frame_is_damage():
    header = header_data(STREAM.header, Placement(canvas=3, width=100, height=500, left=64, top=20))
    packet = Packet(Kind.DATA, STREAM_ID, 0, write_records([Record(HEADER_ID, header)]), k=1, n=1)
    session = make_session(datagrams=[packet.to_bytes()])
    assert (events_of(session), session.statistics.damaged) == ([], 1)


def reports_of_losses(base_lost):
    """When reports come while packets of two blocks arrive every 0.2 s; of the first block one or none is lost."""
    header = Record(HEADER_ID, STREAM.header.to_bytes())
    base = BlockEncoder([write_records([header, Record(s.id, s.payload)]) for s in STREAM.segments[:2]])
    rest = BlockEncoder([write_records([Record(s.id, s.payload)]) for s in STREAM.segments[2:5]])
    places = [(0, 0, base), (0, 1, base), (1, 0, rest), (1, 1, rest), (1, 2, rest)]
    session = make_session()
    times = []
    for sequence, (block, index, encoder) in enumerate(places):
        now = 0.2 * sequence
        lost = (block, index) == ((0, 0) if base_lost else (1, 0))
        packet = Packet(Kind.DATA, STREAM_ID, sequence, encoder.payload(index), block, index, encoder.k, encoder.k)
        if not lost:
            session.receive_datagram(packet.to_bytes(), now)
        times += [(now, report) for report in reports_of(session, now)]
    return times


def test_a_gap_in_the_base_is_reported_with_every_packet_and_others_twice_a_second():
    asked = reports_of_losses(base_lost=True)
    assert [time for time, _ in asked] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert {report.layers for _, report in asked} == {0}
    assert asked[-1][1].recent == bytes([0b11110000])
    quiet = reports_of_losses(base_lost=False)
    assert [time for time, _ in quiet] == pytest.approx([0.6])
    assert quiet[0][1].layers == 1


def test_restored_segments_are_marked():
    datagrams = datagrams_of()
    session = make_session(datagrams=datagrams[1:7])
    received = [event for event in events_of(session) if isinstance(event, SegmentReceived)]
    assert [event.segment_id for event in received if event.recovered] == [1]
    assert session.statistics.recovered == 1
    assert session.statistics.lost == 1


def test_reports_come_twice_a_second_while_packets_arrive():
    session = make_session()
    times = []
    now = 0.0
    for datagram in datagrams_of()[:4]:
        while (timer := session.next_timer()) is not None and timer <= now:
            session.handle_timer(timer)
            times += [timer] * len(session.datagrams_to_send(timer))
        session.receive_datagram(datagram, now)
        now += 0.4
    assert times == pytest.approx([0.5])
    (report,) = reports_of(session, 1.3)
    assert (report.received, report.segments, report.complete, report.ended) == (4, 4, False, False)
    assert reports_of(session, 1.4) == []


def test_completion_is_reported_at_once_and_again_while_packets_still_come():
    datagrams = datagrams_of()
    session = make_session(datagrams=datagrams[:6], now=5.0)
    (report,) = reports_of(session, 5.0)
    assert report.complete
    session.receive_datagram(datagrams[6], 5.01)
    assert reports_of(session, 5.01) == []
    assert session.next_timer() == pytest.approx(5.1)
    (report,) = reports_of(session, 5.1)
    assert report.complete


def test_losses_and_bursts_are_reported():
    datagrams = datagrams_of()
    session = make_session(datagrams=[datagrams[0], datagrams[3], datagrams[4], datagrams[7]])
    (report,) = reports_of(session, 0.5)
    assert (report.received, report.expected, report.loss, report.burst) == (4, 8, 0.5, 2.0)


def test_packets_overtaken_by_the_end_still_count():
    datagrams = datagrams_of()
    session = make_session(datagrams=[*datagrams[:5], end_of()])
    (report,) = reports_of(session, 0.0)
    assert report.ended
    assert not report.complete
    session.receive_datagram(datagrams[5], 0.1)
    assert events_of(session)[-1] == StreamEnded(STREAM_ID, "complete", more=False)
    (report,) = reports_of(session, 0.1)
    assert report.ended
    assert report.complete


def test_an_incomplete_stream_ends_when_the_sender_says_so():
    session = make_session(datagrams=[*datagrams_of()[:3], end_of(more=True)])
    session.handle_timer(session.next_timer())
    while not (events := events_of(session)) or not isinstance(events[-1], StreamEnded):
        session.datagrams_to_send(session.next_timer())
        session.handle_timer(session.next_timer())
    assert events[-1] == StreamEnded(STREAM_ID, "ended", more=True)
    assert not session.done


@pytest.mark.parametrize(("count", "reason"), [(3, "silence"), (6, "complete")])
def test_silence_ends_a_stream(count, reason):
    session = make_session(replace(SETTINGS, silence_s=2.0), datagrams_of()[:count], now=100.0)
    session.datagrams_to_send(100.5)
    assert session.next_timer() == 102.0
    session.handle_timer(101.9)
    assert not session.done
    session.handle_timer(102.0)
    assert events_of(session)[-1] == StreamEnded(STREAM_ID, reason, more=False)
    assert session.done
    assert session.next_timer() is None


def test_on_a_slow_link_silence_is_longer_than_fifteen_packets():
    """At 1 kbit/s a full packet takes nine seconds, and a burst of losses many times that."""
    first, second, third, *_ = datagrams_of()
    session = make_session(datagrams=[first], now=100.0)
    pause = 10 * SETTINGS.silence_s
    session.handle_timer(100.0 + pause - 0.1)
    session.receive_datagram(second, 109.0)
    session.handle_timer(109.0 + 15 * 9.0 - 0.1)
    assert not session.done
    session.receive_datagram(third, 118.0)
    session.handle_timer(118.0 + 15 * 9.0)
    assert events_of(session)[-1] == StreamEnded(STREAM_ID, "silence", more=False)


def test_before_the_first_datagram_there_is_nothing_to_wait_for():
    session = make_session()
    assert session.next_timer() is None
    assert not session.done


def test_a_new_stream_ends_the_old_one_whose_late_packets_are_ignored():
    other = make_stream(base=1, enhance=1, seed=5)
    old, new = datagrams_of(), datagrams_of(other, stream_id=10)
    session = make_session(datagrams=[*old[:2], new[0], *old[2:], new[1], end_of(10, sequence=4)])
    events = events_of(session)
    names = [(type(event), event.stream_id) for event in events]
    assert (events[3].until_then.bytes, events[3].until_then.received) == (sum(map(len, old[:2])), 2)
    assert names == [
        (StreamStarted, 9),
        (SegmentReceived, 9),
        (SegmentReceived, 9),
        (StreamEnded, 9),
        (StreamStarted, 10),
        (SegmentReceived, 10),
        (SegmentReceived, 10),
        (StreamEnded, 10),
    ]
    assert session.done


def test_a_repeated_end_is_answered_so_that_the_sender_can_stop():
    session = make_session(datagrams=[*datagrams_of()[:6], end_of()])
    session.datagrams_to_send(0.0)
    session.receive_datagram(end_of(sequence=9), 0.5)
    (report,) = reports_of(session, 0.5)
    assert report.ended
    assert report.complete


@given(st.lists(st.binary(max_size=60) | st.sampled_from(datagrams_of()), max_size=20), st.data())
def test_nonsense_and_damage_are_counted_and_dropped(datagrams, data):
    session = make_session()
    arriving = [flip_a_bit(datagram, data) if data.draw(st.booleans()) else datagram for datagram in datagrams]
    for datagram in arriving:
        session.receive_datagram(datagram, 0.0)
    assert session.statistics.damaged == sum(datagram not in datagrams_of() for datagram in arriving)
    assert session.statistics.bytes == sum(len(datagram) for datagram in arriving if datagram in datagrams_of())


@pytest.mark.parametrize(
    "packet",
    [
        Packet(Kind.FEEDBACK, STREAM_ID, 0, End(stream=STREAM_ID, more=False).to_bytes()),
        Packet(Kind.CONTROL, STREAM_ID, 0, End(stream=STREAM_ID + 1, more=False).to_bytes()),
        Packet(Kind.CONTROL, STREAM_ID, 0, b"\xc0"),
    ],
)
def test_control_messages_of_nonsense_are_dropped(packet):
    session = make_session(datagrams=[packet.to_bytes()])
    assert session.statistics.damaged == 1
    assert events_of(session) == []


def test_any_number_of_streams_takes_bounded_memory():
    session = make_session()
    for stream_id in range(1000):
        session.receive_datagram(datagrams_of(stream_id=stream_id)[0], 0.0)
        events_of(session)
    assert len(session.datagrams_to_send(10.0)) <= MAX_ENDED_STREAMS + 1


def test_damaged_bytes_within_the_inner_parity_are_corrected():
    session = ReceiverSession(replace(SETTINGS, inner_parity=8), now=0.0)
    for datagram in datagrams_of()[:6]:
        damaged = bytearray(add_inner_parity(datagram, 8))
        damaged[3:7] = b"oops"
        session.receive_datagram(bytes(damaged), 0.0)
    assert sum(isinstance(event, SegmentReceived) for event in events_of(session)) == 6
    (answer,) = session.datagrams_to_send(0.0)
    assert parse_message(parse_packet(correct_datagram(answer, 8)).payload).complete


@pytest.mark.parametrize("changes", [{"silence_s": 0}, {"silence_s": float("nan")}, {"inner_parity": -1}])
def test_settings_that_make_no_sense_are_refused(changes):
    with pytest.raises(UsageError):
        replace(SETTINGS, **changes)


def test_no_sequence_number_makes_a_report_fail():
    """From 0 in the largest steps up to the last number there is: counts stay within what a report can say."""
    session = make_session()
    (first, *_) = datagrams_of()
    packet = parse_packet(first)
    for sequence in [*range(0, 1 << 32, 1 << 16), (1 << 32) - 2, (1 << 32) - 1]:
        session.receive_datagram(replace(packet, sequence=sequence).to_bytes(), sequence / 1e6)
    (report,) = reports_of(session, 1e4)
    assert (report.expected, report.latest) == (0xFFFFFFFF, 0xFFFFFFFE)
    assert session.statistics.damaged == 1


@pytest.mark.parametrize("payload", [b"", b"\0\1\0\5abc", b"\0\0\0\3abc"])
def test_nonsense_of_another_stream_ends_no_photo(payload):
    session = make_session(datagrams=datagrams_of()[:2])
    all_events_of(session)
    session.receive_datagram(Packet(Kind.STRIPES, 77, 0, payload or b"?", n=9).to_bytes(), 0.1)
    session.receive_datagram(Packet(Kind.DATA, 78, 0, payload + b"\0\1\xff", k=1, n=1).to_bytes(), 0.1)
    session.receive_datagram(replace(parse_packet(datagrams_of(stream_id=79)[0]), sequence=2**32 - 1).to_bytes(), 0.1)
    assert [type(event) for event in all_events_of(session)] == [DatagramDropped] * 3
    assert session.statistics.damaged == 3


def test_an_end_without_data_ends_no_waiting_receiver():
    session = make_session(datagrams=[end_of(stream_id=3), end_of(stream_id=4, sequence=0)])
    assert not session.done
    assert events_of(session) == []
    for datagram in [*datagrams_of(), end_of(more=True)]:
        session.receive_datagram(datagram, 1.0)
    assert not session.done
    session.receive_datagram(end_of(stream_id=5, sequence=0), 2.0)
    session.handle_timer(3.0)
    assert session.done


def test_after_a_stall_what_waits_is_taken_before_silence_is_judged():
    """Stopped for longer than the silence; the timer is looked at first, then the socket."""
    session = make_session(datagrams=datagrams_of()[:3])
    all_events_of(session)
    late = session.next_timer() + 100.0
    session.handle_timer(late)
    assert events_of(session) == []
    session.receive_datagram(datagrams_of()[3], late)
    session.handle_timer(late + 0.3)
    assert not any(isinstance(event, StreamEnded) for event in events_of(session))


def test_after_a_stall_silence_is_silence_a_moment_later():
    session = make_session(datagrams=datagrams_of()[:3])
    all_events_of(session)
    session.handle_timer(100.0)
    timer = max(session.next_timer(), 100.25)
    session.datagrams_to_send(timer)
    session.handle_timer(timer)
    assert events_of(session) == [StreamEnded(STREAM_ID, "silence", more=False)]


def test_what_is_told_of_another_stream_begins_none_and_ends_none():
    session = ReceiverSession(SETTINGS, now=0.0)
    session.receive_datagram(datagrams_of()[0], 0.0)
    told = Manifest(Curve.of(2, 6, 1, [8, 20, 30])).to_bytes()
    session.receive_datagram(Packet(Kind.MANIFEST, STREAM_ID + 1, 0, told).to_bytes(), 0.1)
    session.receive_datagram(Packet(Kind.MANIFEST, STREAM_ID, 1, told[:-1]).to_bytes(), 0.1)
    assert session.statistics.damaged == 2
    assert not [event for event in all_events_of(session) if isinstance(event, StreamEnded | QualityTold)]
    session.receive_datagram(Packet(Kind.MANIFEST, STREAM_ID, 2, told).to_bytes(), 0.2)
    session.receive_datagram(Packet(Kind.MANIFEST, STREAM_ID, 3, told).to_bytes(), 0.3)
    assert len([event for event in all_events_of(session) if isinstance(event, QualityTold)]) == 1

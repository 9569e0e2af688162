from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import UsageError
from progressive.stream import StreamHeader
from progressive.wire.control import Busy, End, Report, parse_message
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.records import HEADER_ID, parse_records
from sender.events import PacketSent, ReceiverBusy, Replanned, ReportReceived, StreamFinished
from sender.loss_estimate import MAX_BURST, MAX_LOSS
from sender.session import SenderSession
from sender.settings import SenderSettings

STREAM_ID = 77
SETTINGS = SenderSettings(bandwidth_bps=50_000)


def make_session(settings=SETTINGS, *, stream=None, now=0.0, more=False):
    return SenderSession(stream or make_stream(), settings, stream_id=STREAM_ID, now=now, more=more)


def report(*, sent=6, lost=1, complete=False, ended=False, stream=STREAM_ID, kind=Kind.FEEDBACK, **changes):
    """A report that can be true once `sent` datagrams have left: the first `lost` of them did not arrive."""
    fields = {
        "received": sent - lost,
        "expected": sent,
        "loss": lost / sent,
        "burst": float(lost),
        "segments": 24 if complete else min(4, sent - lost),
        "latest": sent - 1,
        "recent": (((1 << sent - lost) - 1) << max(0, 256 - sent + lost)).to_bytes(32, "big") if sent < 256 else b"",
    }
    message = Report.model_construct(
        **{"type": "report", "stream": stream, "complete": complete, "ended": ended} | fields | changes
    )
    return Packet(kind, stream, 0, message.to_bytes()).to_bytes()


def run(session, now=0.0, *, until=float("inf"), react=lambda now, datagram: None):
    """Runs a session on a virtual clock; (time, datagram) of all that it sends, and its events."""
    sent, events = [], []
    while now <= until:
        for datagram in session.datagrams_to_send(now):
            sent.append((now, datagram))
            answer = react(now, datagram)
            if answer is not None:
                session.receive_datagram(answer, now)
        while (event := session.next_event()) is not None:
            events.append(event)
        timer = session.next_timer()
        if timer is None:
            break
        now = max(now, timer)
        session.handle_timer(now)
    return sent, events


@pytest.mark.parametrize("count_ip", [False, True])
@pytest.mark.parametrize(("bandwidth", "burst"), [(10_000, 1100), (50_000, 1100), (800_000, 1100), (2e6, 2500)])
def test_bytes_on_the_wire_are_within_one_packet_or_10_ms_of_the_bandwidth_over_any_window(bandwidth, burst, count_ip):
    settings = SenderSettings(bandwidth, feedback=False, count_ip=count_ip, deadline_s=8)
    sent, _ = run(make_session(settings, stream=make_stream(payload=(50, 1000))))
    ip = 28 if count_ip else 0
    data = [(time, len(datagram) + ip) for time, datagram in sent if parse_packet(datagram).kind is Kind.DATA]
    allowed = max(burst, 1100 + ip)
    for i in range(len(data)):
        carried = 0
        for j in range(i, len(data)):
            window = bandwidth / 8 * (data[j][0] - data[i][0])
            assert carried <= window + allowed
            carried += data[j][1]
            assert window - allowed <= carried <= window + allowed + 1e-6


def test_a_stream_of_thirty_seconds_uses_its_bandwidth():
    sent, _ = run(make_session(replace(SETTINGS, feedback=False, deadline_s=30), stream=make_stream(enhance=150)))
    assert sum(len(datagram) for time, datagram in sent if time <= 30) == pytest.approx(30 * 50_000 / 8, rel=0.02)


def test_the_first_picture_of_a_small_base_is_sent_in_under_a_second():
    sent, _ = run(make_session(stream=make_stream(base=4, payload=(1000, 1020))), until=0.8)
    bases = [parse_packet(datagram).index for _, datagram in sent[:4]]
    assert bases == [0, 1, 2, 3]


def test_the_header_announces_what_is_sent_by_the_deadline():
    session = make_session(replace(SETTINGS, deadline_s=2, feedback=False), stream=make_stream(enhance=100))
    sent, _ = run(session)
    packets = [parse_packet(datagram) for _, datagram in sent]
    sources = [packet for packet in packets if packet.kind is Kind.DATA and packet.index < packet.k]
    records = [record for packet in sources for record in parse_records(packet.payload)]
    announced = StreamHeader.from_bytes(next(record.data for record in records if record.id == HEADER_ID))
    assert announced.segment_count == len({record.id for record in records} - {HEADER_ID}) < 104
    assert announced == session.stream.header
    assert {record.id for record in records} - {HEADER_ID} == {segment.id for segment in session.stream.segments}


def test_no_data_goes_after_the_deadline_even_if_the_clock_jumps():
    session = make_session(replace(SETTINGS, feedback=False))
    session.datagrams_to_send(0.0)
    sent, events = run(session, now=10.0)
    assert [parse_packet(datagram).kind for _, datagram in sent] == [Kind.CONTROL] * len(sent)
    assert events[-1] == StreamFinished("deadline")


def test_sequence_numbers_count_every_datagram():
    sent, events = run(make_session(replace(SETTINGS, feedback=False)))
    assert [parse_packet(datagram).sequence for _, datagram in sent] == list(range(len(sent)))
    sizes = [event.size for event in events if isinstance(event, PacketSent)]
    assert sizes == [len(datagram) for _, datagram in sent]


@pytest.mark.parametrize("more", [False, True])
def test_the_end_is_said_several_times_and_tells_whether_more_follows(more):
    sent, _ = run(make_session(replace(SETTINGS, feedback=False), more=more))
    ends = [packet.payload for _, datagram in sent if (packet := parse_packet(datagram)).kind is Kind.CONTROL]
    assert len(ends) >= 3
    assert {parse_message(end) for end in ends} == {End(stream=STREAM_ID, more=more)}


def test_a_complete_report_stops_the_stream():
    session = make_session()
    sent, _ = run(session, until=1.0)
    session.receive_datagram(report(sent=len(sent), lost=0, complete=True), 1.0)
    sent, events = run(session, now=1.0)
    assert {parse_packet(datagram).kind for _, datagram in sent} == {Kind.CONTROL}
    assert events[-1] == StreamFinished("complete")
    assert session.done


def test_a_confirmed_end_is_not_repeated():
    def react(now, datagram):
        packet = parse_packet(datagram)
        sent = packet.sequence + 1
        return report(sent=sent, lost=0, complete=True, ended=True) if packet.kind is Kind.CONTROL else None

    sent, events = run(make_session(), react=react)
    assert [parse_packet(datagram).kind for _, datagram in sent].count(Kind.CONTROL) == 1
    assert events[-1] == StreamFinished("complete")


def test_a_receiver_that_never_comes_is_silence():
    sent, events = run(make_session())
    assert events[-1] == StreamFinished("silence")
    assert sent[-1][0] < 12


def test_a_sender_that_nobody_answers_sends_no_more_packets_than_its_blocks_have():
    sent, events = run(make_session(SenderSettings(250e3), stream=make_stream(base=1, enhance=1, payload=(40, 60))))
    places = [(packet.block, packet.index) for packet in map(parse_packet, (d for _, d in sent)) if not packet.kind]
    assert set(places) == {(block, index) for block in range(2) for index in range(256)}
    assert events[-1] == StreamFinished("silence")


def test_a_receiver_that_misses_something_makes_it_the_deadline():
    _, events = run(
        make_session(), react=lambda now, datagram: report() if parse_packet(datagram).sequence == 5 else None
    )
    assert ReportReceived(1 / 6, 1.0, 4, burst_s=0.0, layers=0, receiver=0) in events
    assert events[-1] == StreamFinished("deadline")


def test_one_way_listens_to_nobody():
    _, events = run(make_session(replace(SETTINGS, feedback=False)), react=lambda now, datagram: report(complete=True))
    assert not any(isinstance(event, ReportReceived) for event in events)
    assert events[-1] == StreamFinished("deadline")


@pytest.mark.parametrize(
    "lie",
    [
        b"",
        bytes(2000),
        report(stream=STREAM_ID + 1, complete=True),
        report(kind=Kind.CONTROL),
        Packet(Kind.FEEDBACK, STREAM_ID, 0, End(stream=STREAM_ID, more=True).to_bytes()).to_bytes(),
        Packet(Kind.FEEDBACK, STREAM_ID, 0, b"\xc1").to_bytes(),
        report(sent=1, lost=0, loss=3.0),
        report(sent=1, lost=0, loss=0.5),
        report(sent=1, lost=0, layers=100),
        report(sent=1, lost=0, segments=25),
        report(sent=1, lost=0, burst=4.0),
        report(sent=1000),
        report(sent=1, lost=0, received=2),
        report(sent=1, lost=0, segments=1, complete=True),
        report(sent=1, lost=0, recent=b"\xff"),
        report(sent=1, lost=0, recent=b"\x00"),
    ],
)
def test_nonsense_is_counted_and_changes_nothing(lie):
    session = make_session()
    sent, events = run(session, react=lambda now, datagram: lie)
    assert session.dropped == len(sent)
    assert events[-1] == StreamFinished("silence")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.none()
        | st.tuples(st.floats(0, 1), st.integers(0, 40), st.booleans(), st.booleans(), st.binary(max_size=32)),
        max_size=60,
    ),
    st.sampled_from([None, 0.5]),
    st.booleans(),
)
def test_no_report_makes_the_sender_send_longer_or_more_than_the_bandwidth_pays_for(answers, serve, repair):
    remaining = iter(answers)

    def react(now, datagram):
        answer = next(remaining, None)
        if answer is None:
            return None
        share, receiver, complete, ended, recent = answer
        sent = parse_packet(datagram).sequence + 1
        lost = int(share * (sent - 1))
        recent = bytes([0x80 | recent[0]]) + recent[1:] if recent else b""
        lie = {"receiver": receiver, "recent": recent, "segments": 24 if complete else 0}
        return report(sent=sent, lost=lost, complete=complete, ended=ended, **lie)

    session = make_session(replace(SETTINGS, serve=serve, repair=repair, deadline_s=6))
    sent, events = run(session, react=react)
    data = [len(datagram) for _, datagram in sent if parse_packet(datagram).kind is Kind.DATA]
    assert sum(data) <= 6 * 50_000 / 8 + 1100
    assert sent[-1][0] < 6 + 6 * 0.1 + 1.1
    assert [event for event in events if isinstance(event, StreamFinished)] == [events[-1]]


def test_a_million_reports_cost_one_in_a_while():
    session = make_session()
    session.datagrams_to_send(0.0)
    flood = report(sent=1, lost=0)
    for i in range(3000):
        session.receive_datagram(flood, 0.5 + i * 1e-6)
    events = list(iter(session.next_event, None))
    assert sum(isinstance(event, ReportReceived) for event in events) == 1
    assert sum(isinstance(event, Replanned) for event in events) == 1
    assert session.dropped == 2999


def test_reports_of_many_receivers_make_one_plan_at_a_time():
    session = make_session(replace(SETTINGS, serve=0.9))
    sent, _ = run(session, until=2.0)
    for receiver in range(50):
        session.receive_datagram(report(sent=len(sent), lost=1, receiver=receiver), 2.0)
    events = list(iter(session.next_event, None))
    assert sum(isinstance(event, ReportReceived) for event in events) == 50
    assert sum(isinstance(event, Replanned) for event in events) == 1


def test_what_is_reported_moves_the_plan_within_bounds_only():
    session = make_session()
    sent, _ = run(session, until=4.0)
    count = len(sent)
    session.receive_datagram(report(sent=count, lost=count - 1, segments=0), 4.0)
    assert 0.1 < session.losses.loss <= MAX_LOSS
    assert 5 < session.losses.burst <= MAX_BURST
    (replanned,) = [event for event in iter(session.next_event, None) if isinstance(event, Replanned)]
    assert replanned.losses == session.losses


def test_datagrams_are_the_size_asked_for_with_inner_parity_included():
    settings = replace(SETTINGS, packet_size=600, inner_parity=60, feedback=False)
    _, events = run(make_session(settings, stream=make_stream(payload=(100, 400))))
    assert max(event.size for event in events if isinstance(event, PacketSent)) <= 600


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bandwidth_bps": 0}, "bandwidth"),
        ({"bandwidth_bps": float("nan")}, "bandwidth"),
        ({"deadline_s": -1}, "deadline"),
        ({"packet_size": 5000}, "use 1472 or fewer"),
        ({"inner_parity": 1000}, "inner parity"),
        ({"protection": "best"}, "auto, equal, none"),
        ({"redundancy": -0.1}, "redundancy"),
        ({"protection": "none", "redundancy": 0.2}, "contradict"),
        ({"protection": "pet", "repair": True}, "pet"),
        ({"serve": 1.2}, "above 0% to 100%"),
        ({"serve": 0.5, "feedback": False}, "receivers that answer"),
        ({"repair": True, "feedback": False}, "receivers that answer"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes, said):
    with pytest.raises(UsageError, match=said):
        replace(SETTINGS, **changes)


@pytest.mark.parametrize(
    ("changes", "said"), [({"packet_size": 39}, "use 40"), ({"packet_size": 49, "headers": "long"}, "use 50")]
)
def test_packets_without_room_are_refused(changes, said):
    with pytest.raises(UsageError, match=f"{said} or more"):
        make_session(replace(SETTINGS, **changes))


def test_a_deadline_too_short_for_one_packet_is_refused():
    with pytest.raises(UsageError, match="there is no time for a packet"):
        make_session(replace(SETTINGS, deadline_s=0.01))


def test_after_a_stall_reports_that_wait_are_taken_before_silence_is_judged():
    last_s = run(make_session())[0][-1][0]  # when the last copy of the end leaves
    session = make_session()
    sent, _ = run(session, until=last_s - 0.05)
    sent += [(last_s, datagram) for datagram in session.datagrams_to_send(last_s)]
    late = session.next_timer() + 10.0
    session.handle_timer(late)
    assert not session.done
    session.receive_datagram(report(sent=len(sent), lost=2, ended=True), late)
    session.handle_timer(late)
    assert session.done
    *_, last = iter(session.next_event, None)
    assert last == StreamFinished("deadline")


@pytest.mark.parametrize("protection", ["auto", "equal", "none", "pet"])
def test_a_stream_for_which_there_is_no_time_is_refused_with_what_would_do(protection):
    stream = make_stream(base=1, enhance=4)

    def plan(deadline_s):
        settings = SenderSettings(300, deadline_s=deadline_s, protection=protection)
        return SenderSession(stream, settings, stream_id=1, now=0.0).plan

    with pytest.raises(UsageError, match="use [0-9]+ times the --deadline") as refused:
        plan(5.0)
    times = int(str(refused.value).split("use ")[1].split()[0])
    assert plan(5.0 * times).slots


def busy(stream=STREAM_ID, sequence=0):
    return Packet(Kind.FEEDBACK, stream, sequence, Busy(stream=stream).to_bytes()).to_bytes()


def test_a_receiver_that_is_busy_says_so_until_one_reports():
    session = make_session()
    session.datagrams_to_send(0.0)
    session.receive_datagram(busy(), 0.1)
    session.receive_datagram(busy(stream=STREAM_ID + 1), 0.1)
    assert [event for event in iter(session.next_event, None) if isinstance(event, ReceiverBusy)] == [ReceiverBusy()]
    assert session.dropped == 1
    for now in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        session.datagrams_to_send(now)
    session.receive_datagram(report(), 3.0)
    session.receive_datagram(busy(sequence=1), 3.1)
    assert ReceiverBusy() not in list(iter(session.next_event, None))

import pytest
from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.wire.control import End, parse_message
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.records import HEADER_ID, parse_records
from receiver.events import SegmentReceived, StreamEnded
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.carousel import BASE_SHARE, CarouselSession
from sender.events import ReportReceived, StreamFinished
from sender.session import SenderSession
from sender.settings import SenderSettings

SETTINGS = SenderSettings(80e3, packet_size=300, deadline_s=3, serve=1.0, protection="none")
STREAM = make_stream(base=3, enhance=12, payload=(100, 220))


def first_pass(settings=SETTINGS, stream=STREAM, **options):
    """The stream sent once to nobody."""
    session = SenderSession(stream, settings, stream_id=9, now=0, repeats=True, **options)
    datagrams = []
    while (timer := session.next_timer()) is not None:
        datagrams += session.datagrams_to_send(timer)
        session.handle_timer(timer)
    return session, [parse_packet(datagram) for datagram in datagrams]


def turn(carousel, until):
    """What it sends, with times."""
    sent = []
    while (timer := carousel.next_timer()) is not None and timer <= until:
        sent += [(timer, parse_packet(datagram), len(datagram)) for datagram in carousel.datagrams_to_send(timer)]
    return sent


def ids_in(packets):
    return {record.id for packet in packets if packet.kind is Kind.DATA for record in parse_records(packet.payload)}


def test_every_round_has_the_whole_stream_under_further_numbers():
    first, packets = first_pass()
    sent = turn(CarouselSession(first, now=10.0), until=20.0)
    everything = {HEADER_ID, *(segment.id for segment in STREAM.segments)}
    assert ids_in(packets) == everything
    numbers = [packet.sequence for _, packet, _ in sent]
    assert numbers == list(range(len(packets), len(packets) + len(sent)))
    half = [packet for time_s, packet, _ in sent if time_s < 15]
    assert ids_in(half) == everything


def test_it_keeps_to_the_bandwidth_and_gives_the_base_its_share():
    first, _ = first_pass()
    sent = turn(CarouselSession(first, now=10.0), until=40.0)
    total = sum(size for *_, size in sent)
    assert total <= 80e3 / 8 * 30 + SETTINGS.packet_size
    assert total > 0.98 * 80e3 / 8 * 30
    base = sum(size for _, packet, size in sent if packet.kind is Kind.DATA and packet.block < first.base_blocks)
    assert base / total == pytest.approx(BASE_SHARE, abs=0.02)


def test_a_stream_of_nothing_but_its_base_goes_round_too():
    first, _ = first_pass(stream=make_stream(base=3, enhance=0, payload=(100, 220)))
    sent = turn(CarouselSession(first, now=10.0), until=13.0)
    assert ids_in(packet for _, packet, _ in sent[:8]) == {0, 1, 2, 3}


@pytest.mark.parametrize("joins_at", [1.2, 4.0, 11.0])
def test_a_receiver_that_comes_late_over_a_lossy_link_gets_all_and_goes(joins_at):
    first, _ = first_pass()
    carousel = CarouselSession(first, now=3.0)
    turn(carousel, until=3.0 + joins_at)
    receiver = ReceiverSession(ReceiverSettings(receiver_id=4), now=3.0 + joins_at)
    link = LinkSettings(loss=LossModel(0.1))
    events = []
    simulate(
        [Route(carousel, Link(link, seed=1), receiver), Route(receiver, Link(link, seed=2), carousel)],
        start_s=3.0 + joins_at,
        on_event=lambda _, session, event: events.append(event),
        finished=lambda: receiver.done,
        limit_s=60.0,
    )
    got = {event.segment_id: event.payload for event in events if isinstance(event, SegmentReceived)}
    assert got == {segment.id: segment.payload for segment in STREAM.segments}
    assert [event.reason for event in events if isinstance(event, StreamEnded)] == ["complete"]
    assert any(isinstance(event, ReportReceived) and event.receiver == 4 for event in events)
    assert carousel.listeners == 1


def test_stopped_it_says_the_end_and_who_lacks_something_goes_too():
    first, _ = first_pass()
    carousel = CarouselSession(first, now=3.0)
    (_, one, _), *_ = turn(carousel, until=3.3)
    receiver = ReceiverSession(ReceiverSettings(), now=3.0)
    receiver.receive_datagram(one.to_bytes(), 3.3)
    carousel.stop(3.3)
    sent = turn(carousel, until=10.0)
    assert carousel.done
    assert carousel.next_timer() is None
    assert [parse_message(packet.payload) for _, packet, _ in sent] == [End(stream=9, more=False)] * len(sent)
    receiver.receive_datagram(sent[0][1].to_bytes(), 3.4)
    receiver.handle_timer(4.0)
    assert receiver.done
    events = list(iter(carousel.next_event, None))
    assert isinstance(events[-1], StreamFinished)


def test_what_is_no_report_about_the_stream_is_dropped():
    first, _ = first_pass()
    carousel = CarouselSession(first, now=3.0)
    for datagram in (
        b"",
        bytes(50),
        Packet(Kind.FEEDBACK, 8, 0, b"").to_bytes(),
        Packet(Kind.FEEDBACK, 9, 0, b"").to_bytes(),
    ):
        carousel.receive_datagram(datagram, 3.0)
    assert carousel.dropped == 4
    assert carousel.listeners == 0


def test_stripes_are_not_repeated():
    first, _ = first_pass(SenderSettings(80e3, packet_size=300, deadline_s=3, serve=1.0, protection="pet"))
    with pytest.raises(UsageError, match="pet"):
        CarouselSession(first, now=3.0)

"""Streams whose rate is not known: whole sessions over links on a virtual clock."""

from dataclasses import replace

import pytest
from streams import make_stream

from channel_sim.link import Fate, Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.wire.control import Ask, Report, parse_message
from progressive.wire.packet import Kind, parse_packet
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import RateFollowed, StreamFinished
from sender.session import SenderSession
from sender.settings import SenderSettings

SETTINGS = SenderSettings(50_000, follow=True)
STREAM = make_stream(enhance=420, payload=(900, 1000))


class Watched:
    """A link that notes what it carried: (when, how long it waited, whether it arrived, the datagram)."""

    def __init__(self, link):
        self._link, self.carried = link, []

    def send(self, data, now):
        passage = self._link.carry(data, now)
        self.carried.append((now, passage.begin_s - now, passage.fate is Fate.DELIVERED, data))
        return passage.arrivals


class Run:
    """A stream over a link; what came and when, the events of the sender, what both links carried."""

    def __init__(self, settings, link, *, stream=STREAM, receiver=ReceiverSession, control=None, start_s=0.0, seed=0):
        self.there, self.back = Watched(Link(link, seed=seed)), Watched(Link(link, seed=seed + 100))
        self.sender = SenderSession(stream, settings, stream_id=1, now=start_s, control=control)
        self.came, self.events = {}, []
        there = receiver(ReceiverSettings(), now=start_s)
        routes = [Route(self.sender, self.there, there), Route(there, self.back, self.sender)]
        self.ended_s = simulate(routes, start_s=start_s, on_event=self._take)

    def _take(self, now, session, event):
        if isinstance(event, SegmentReceived):
            self.came.setdefault(event.segment_id, now)
        elif session is self.sender:
            self.events.append(event)

    @property
    def bytes_sent(self):
        return sum(len(data) for *_, data in self.there.carried)

    def waits(self, since_s=0.0):
        """Of data packets, in order."""
        data = [(at, wait) for at, wait, _, data in self.there.carried if data[0] & 15 == Kind.DATA]
        return sorted(wait for at, wait in data if at >= since_s)


class OlderReceiver(ReceiverSession):
    """A receiver that does not know `ask`."""

    def receive_datagram(self, data, now):
        packet = parse_packet(data)
        if packet.kind is Kind.CONTROL and isinstance(parse_message(packet.payload), Ask):
            return
        super().receive_datagram(data, now)


@pytest.mark.parametrize("rate", [20_000, 50_000, 300_000])
def test_a_stream_fills_a_link_of_any_rate_and_hardly_waits_on_it(rate):
    run = Run(SETTINGS, LinkSettings(rate_bps=rate, delay_s=0.08))
    assert run.bytes_sent * 8 > 0.85 * rate * 10
    waits = run.waits()
    assert waits[int(0.95 * len(waits))] < 0.5
    assert run.waits(4.0)[-1] < 0.4


def test_a_sender_begins_with_two_packets_and_asks():
    run = Run(SETTINGS, LinkSettings(rate_bps=20_000, delay_s=0.3))
    first = [parse_packet(data).kind for at, _, _, data in run.there.carried if at < 0.3]
    assert first == [Kind.DATA, Kind.CONTROL, Kind.DATA]


def test_reports_tell_times_only_to_those_who_ask():
    def told(settings):
        run = Run(settings, LinkSettings(rate_bps=100_000, delay_s=0.08))
        reports = [parse_message(parse_packet(data).payload) for *_, data in run.back.carried]
        return [r.arrived_ms is not None for r in reports if isinstance(r, Report) and not r.ended]

    assert not any(told(replace(SETTINGS, follow=False)))
    assert all(told(SETTINGS))


def test_reports_take_less_than_what_they_are_about():
    for rate in (5_000, 50_000):
        run = Run(SETTINGS, LinkSettings(rate_bps=rate, delay_s=0.08))
        assert sum(len(data) for *_, data in run.back.carried) < 0.55 * run.bytes_sent


def test_a_receiver_that_tells_no_times_is_followed_too_and_asked_in_vain_four_times():
    run = Run(SETTINGS, LinkSettings(rate_bps=100_000, delay_s=0.08), receiver=OlderReceiver)
    kinds = [parse_packet(data).kind for at, *_, data in run.there.carried if at < 9]
    assert kinds.count(Kind.CONTROL) == 4
    assert run.bytes_sent * 8 > 0.5 * 100_000 * 10
    assert run.waits(4.0)[-1] < 1.0


def test_packets_of_a_few_bytes_are_followed_in_the_short_form():
    settings = replace(SETTINGS, packet_size=51, deadline_s=30)
    stream = make_stream(enhance=200, payload=(20, 40))
    run = Run(settings, LinkSettings(rate_bps=2_000, delay_s=0.2), stream=stream)
    assert settings.short
    assert run.bytes_sent * 8 > 0.75 * 2_000 * 30
    assert sum(len(data) for *_, data in run.back.carried) < 0.6 * run.bytes_sent
    assert all(len(data) <= 51 for *_, data in (*run.there.carried, *run.back.carried))
    waits = run.waits(15.0)
    assert waits[int(0.95 * len(waits))] < 0.5


def test_losses_in_the_air_do_not_slow_a_stream_down():
    link = LinkSettings(loss=LossModel(0.1, 1.2), rate_bps=50_000, delay_s=0.08)
    runs = [Run(SETTINGS, link, seed=seed) for seed in range(2)]
    assert sum(run.bytes_sent for run in runs) * 8 / 2 > 0.85 * 50_000 * 10
    assert all(run.waits(7.0)[-1] < 0.3 for run in runs)


def test_the_next_stream_begins_with_what_was_learnt():
    link = LinkSettings(rate_bps=300_000, delay_s=0.08)
    short = replace(SETTINGS, deadline_s=5)
    first = Run(short, link)
    second = Run(short, link, control=first.sender.control, start_s=first.ended_s)
    assert len(second.came) > 1.05 * len(first.came)
    rates = [event.rate_bps for event in second.events if isinstance(event, RateFollowed)]
    assert rates[0] > 200_000


def test_a_stream_that_is_small_is_sent_whole_and_ends_at_once():
    stream = make_stream(enhance=10)
    run = Run(SETTINGS, LinkSettings(rate_bps=50_000, delay_s=0.08), stream=stream)
    assert len(run.came) == 14
    assert run.events[-1] == StreamFinished("complete")
    assert run.ended_s < 6


@pytest.mark.parametrize(("rate", "enhance"), [(20_000, 16), (120_000, 16), (120_000, 60), (1_000_000, 200)])
def test_the_rate_that_is_told_in_the_end_is_that_of_the_link(rate, enhance):
    run = Run(
        SETTINGS, LinkSettings(rate_bps=rate, delay_s=0.08), stream=make_stream(enhance=enhance, payload=(500, 1000))
    )
    told = [event for event in run.events if isinstance(event, RateFollowed)]
    assert told[-1].link_bps == pytest.approx(rate, rel=0.02)


def test_of_a_link_on_which_nothing_waits_no_rate_is_told():
    run = Run(SETTINGS, LinkSettings(rate_bps=2e6, delay_s=0.08), stream=make_stream(enhance=16))
    assert [event.link_bps for event in run.events if isinstance(event, RateFollowed)][-1] is None


def test_what_was_offered_is_what_was_sent():
    run = Run(SETTINGS, LinkSettings(rate_bps=50_000, delay_s=0.08))
    offered = {segment.id for segment in run.sender.offered.segments}
    assert set(run.came) <= offered < {segment.id for segment in STREAM.segments}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"feedback": False}, "leave --one-way out"),
        ({"serve": 0.9}, "--serve has one stream for many"),
        ({"protection": "equal"}, "--protection auto or none"),
        ({"redundancy": 0.2}, "--protection auto or none"),
        ({"queue_delay_s": 0.0}, "use 20 ms to 10 s"),
    ],
)
def test_what_cannot_be_followed_is_refused(changes, words):
    with pytest.raises(UsageError, match=words):
        replace(SETTINGS, **changes)

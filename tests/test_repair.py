"""Packets of the base that are lost and come back, between both sessions on a virtual clock."""

from dataclasses import replace

import pytest
from streams import make_stream

from channel_sim.simulate import Route, simulate
from progressive.wire.packet import Kind, parse_packet
from receiver.events import SegmentReceived, StreamEnded
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import PacketSent, StreamFinished
from sender.session import LINGER_S, SenderSession
from sender.settings import SenderSettings

DELAY_S = 0.05
PACKET_S = 1100 * 8 / 50_000
NONE = SenderSettings(50_000, protection="none")


class PickyLink:
    """Loses the datagrams of these sequence numbers, delivers the others after a fixed delay."""

    def __init__(self, lost=(), delay_s=DELAY_S):
        self.lost, self.delay_s = set(lost), delay_s

    def send(self, data, now):
        return [] if parse_packet(data).sequence in self.lost else [(now + self.delay_s, data)]


class Run:
    """One stream; when each segment arrived, the kinds of packets sent, and how the stream ended."""

    def __init__(self, settings, lost, *, stream=None, back=()):
        self.arrived_s, self.kinds, self.sent_s, self.ends = {}, [], [], []
        sender = SenderSession(stream or make_stream(payload=(900, 1000)), settings, stream_id=5, now=0.0)
        receiver = ReceiverSession(ReceiverSettings(), now=0.0)
        routes = [Route(sender, PickyLink(lost), receiver), Route(receiver, PickyLink(back), sender)]
        simulate(routes, on_event=self.take, limit_s=60)
        self.sender = sender

    def take(self, now, session, event):
        if isinstance(event, SegmentReceived):
            self.arrived_s[event.segment_id] = now
        elif isinstance(event, PacketSent):
            self.kinds.append(event.kind)
            self.sent_s.append(now)
        elif isinstance(event, StreamFinished | StreamEnded):
            self.ends.append(event.reason)


def test_a_lost_base_packet_comes_back_after_about_a_round_trip():
    run = Run(NONE, lost=[1])
    noticed_s = run.arrived_s[3]  # the packet after the lost one
    assert noticed_s < run.arrived_s[2] <= noticed_s + 2 * DELAY_S + PACKET_S
    assert run.kinds.count("repair") == 1
    assert run.ends == ["complete", "complete"]


@pytest.mark.parametrize("protection", ["none", "auto"])
def test_a_lost_enhance_packet_that_others_may_need_comes_back_as_soon(protection):
    run = Run(replace(NONE, protection=protection), lost=[6])
    lost = min(set(range(1, 13)) - {s for s, at in run.arrived_s.items() if at < run.sent_s[7] + DELAY_S})
    assert run.kinds[6] == "source"
    noticed_s = run.sent_s[7] + DELAY_S  # when the packet after it came
    assert run.arrived_s[lost] <= noticed_s + 2 * DELAY_S + 2 * PACKET_S
    assert run.kinds.count("repair") == 1


@pytest.mark.parametrize(
    "settings",
    [
        SenderSettings(50_000, protection="none", repair=False),
        SenderSettings(50_000, protection="none", serve=0.95),
        SenderSettings(50_000, protection="none", feedback=False),
    ],
)
def test_nothing_is_sent_again_unless_wanted(settings):
    run = Run(settings, lost=[1])
    assert 2 not in run.arrived_s
    assert "repair" not in run.kinds


def test_a_broadcast_repairs_on_request():
    assert 2 in Run(SenderSettings(50_000, protection="none", serve=0.95, repair=True), lost=[1]).arrived_s


def test_a_repair_that_is_lost_is_sent_again():
    first = Run(NONE, lost=[1])
    number = first.kinds.index("repair")
    run = Run(NONE, lost=[1, number])
    assert run.kinds.count("repair") == 2
    assert run.arrived_s[2] <= first.arrived_s[2] + 2 * DELAY_S + 3 * PACKET_S


def test_a_base_lost_altogether_comes_back():
    run = Run(NONE, lost=range(4))
    assert all(segment in run.arrived_s for segment in range(1, 5))
    assert run.arrived_s[4] < 4 * PACKET_S + 2 * DELAY_S + 6 * PACKET_S


def test_a_lost_report_costs_a_report_interval_at_most():
    run = Run(NONE, lost=[1], back=[0])
    assert run.arrived_s[2] <= run.arrived_s[3] + 2 * DELAY_S + 2 * PACKET_S + 0.1


def test_the_last_packet_of_all_comes_back_once_nothing_is_heard_of_it():
    run = Run(NONE, lost=[3], stream=make_stream(base=4, enhance=0, payload=(900, 1000)))
    assert run.arrived_s[4] <= run.sent_s[3] + LINGER_S + DELAY_S + PACKET_S
    assert run.ends == ["complete", "complete"]


def test_nothing_is_sent_again_once_time_is_up():
    settings = SenderSettings(50_000, protection="none", deadline_s=2.0)
    run = Run(settings, lost=range(100))
    assert max(s for s, kind in zip(run.sent_s, run.kinds, strict=True) if kind != "control") < 2.0


def test_a_packet_that_never_gets_through_is_given_up():
    class Deaf(PickyLink):
        def send(self, data, now):
            packet = parse_packet(data)
            is_victim = packet.kind is Kind.DATA and (packet.block, packet.index) == (0, 1)
            return [] if is_victim else [(now + DELAY_S, data)]

    sender = SenderSession(make_stream(payload=(900, 1000)), NONE, stream_id=5, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    kinds = []
    simulate(
        [Route(sender, Deaf(), receiver), Route(receiver, PickyLink(), sender)],
        on_event=lambda now, session, event: kinds.append(getattr(event, "kind", None)),
    )
    assert kinds.count("repair") == 7
    assert sender.done

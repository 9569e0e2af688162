"""What receivers report and what the sender makes of it, between whole sessions on a virtual clock."""

from dataclasses import replace

from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.loss_model import LossModel
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import Replanned, ReportReceived, StreamFinished
from sender.schedule import Schedule
from sender.session import SenderSession
from sender.settings import SenderSettings

SETTINGS = SenderSettings(50_000)
STREAM = make_stream(enhance=40, payload=(900, 1000))


class Broadcast:
    """One stream to receivers behind links of these losses; what each one got, and the sender's events."""

    def __init__(self, settings, losses, *, stream=STREAM, seed=0):
        self.events, self.received = [], [dict[int, bytes]() for _ in losses]
        self.sender = SenderSession(stream, settings, stream_id=5, now=0.0)
        self._receivers = [ReceiverSession(ReceiverSettings(receiver_id=i), now=0.0) for i in range(len(losses))]
        routes = []
        for number, (receiver, loss) in enumerate(zip(self._receivers, losses, strict=True)):
            link = LinkSettings(loss=loss, delay_s=0.05)
            routes.append(Route(self.sender, Link(link, seed=100 * seed + number), receiver))
            routes.append(Route(receiver, Link(LinkSettings(delay_s=0.05), seed=0), self.sender))
        simulate(routes, on_event=self.take, limit_s=60)

    def take(self, now, session, event):
        if session is self.sender:
            self.events.append(event)
        elif isinstance(event, SegmentReceived):
            self.received[self._receivers.index(session)][event.segment_id] = event.payload

    def of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


def test_a_stream_planned_anew_delivers_more_than_one_planned_for_other_losses(monkeypatch):
    """Eight photos at 30 % loss where 10 % were expected, and nothing is sent again: 5 % more segments at least."""
    settings = replace(SETTINGS, repair=False)

    def segments():
        return sum(len(Broadcast(settings, [LossModel(0.3, 4)], seed=seed).received[0]) for seed in range(8))

    with_reports = segments()
    monkeypatch.setattr(Schedule, "_replan", lambda *arguments: False)
    assert with_reports > 1.05 * segments()


def test_the_next_photo_is_planned_for_what_was_reported_of_this_one():
    settings = replace(SETTINGS, serve=1.0)
    first = Broadcast(settings, [LossModel(0.4, 3)])
    assert settings.expect.loss < 0.2 < first.sender.losses.loss < 0.5
    second = SenderSession(STREAM, replace(settings, expect=first.sender.losses), stream_id=6, now=0.0)
    unaware = SenderSession(STREAM, settings, stream_id=6, now=0.0)
    assert second.losses == first.sender.losses

    def parity(plan):
        return sum(slot.index >= plan.sources[slot.block] for slot in plan.slots[:40])

    assert parity(second.plan) > parity(unaware.plan)


def test_without_feedback_the_expected_losses_are_planned_for():
    run = Broadcast(replace(SETTINGS, feedback=False), [LossModel(0.4, 3)])
    assert run.sender.losses == SETTINGS.expect
    assert not run.of(Replanned)


def test_a_broadcast_is_planned_for_the_share_to_serve():
    losses = [LossModel(0.02, 2)] * 7 + [LossModel(0.45, 3)]
    everyone = Broadcast(replace(SETTINGS, serve=1.0), losses)
    most = Broadcast(replace(SETTINGS, serve=0.85), losses)
    assert most.sender.losses.loss < 0.12 < 0.25 < everyone.sender.losses.loss
    assert len({event.receiver for event in everyone.of(ReportReceived)}) == 8
    assert len(everyone.received[7]) >= len(most.received[7])
    assert all(set(received) >= {1, 2, 3, 4} for received in everyone.received)


def test_a_broadcast_ends_early_when_everyone_has_everything():
    run = Broadcast(replace(SETTINGS, serve=0.95), [LossModel(0.0)] * 3)
    assert run.of(StreamFinished) == [StreamFinished("complete")]
    assert all(len(received) == len(run.sender.stream.segments) for received in run.received)


def test_what_receivers_are_known_to_have_is_true_and_shared_by_all():
    run = Broadcast(replace(SETTINGS, serve=0.5), [LossModel(0.2, 2)] * 3, seed=3)
    common = set.intersection(*(set(received) for received in run.received))
    assert len(run.sender.known_segments) > 0.8 * len(common)
    assert run.sender.known_segments <= common

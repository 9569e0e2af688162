"""Parity in advance, or when a loss is known: a sender that is answered sends more of the photo."""

from dataclasses import replace

import pytest
from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.loss_model import LossModel
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import PacketSent, Replanned, StreamFinished
from sender.session import SenderSession
from sender.settings import SenderSettings

LOSSES = LossModel(0.14, 1.7)
SETTINGS = SenderSettings(bandwidth_bps=50_000, expect=LOSSES)


def stream():
    """More than 10 s at 50 kbit/s hold, the first segments worth the most."""
    return make_stream(enhance=86, payload=(900, 1000))


def received(settings, seed):
    """Ids of the segments that come, and bytes of parity over bytes of source packets."""
    sender = SenderSession(stream(), settings, stream_id=1, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    came, sizes = set(), {"source": 0, "parity": 0, "repair": 0, "control": 0}

    def on_event(_now, _session, event):
        if isinstance(event, SegmentReceived):
            came.add(event.segment_id)
        elif isinstance(event, PacketSent):
            sizes[event.kind] += event.size

    there = Link(LinkSettings(loss=LOSSES, rate_bps=50_000), seed=seed)
    back = Link(LinkSettings(loss=LOSSES), seed=seed + 100)
    simulate([Route(sender, there, receiver), Route(receiver, back, sender)], on_event=on_event)
    return came, (sizes["parity"] + sizes["repair"]) / sizes["source"]


def test_answered_losses_cost_little_more_than_what_is_lost():
    """By parity in advance a fifth of what is sent is parity; by answers hardly more than was lost."""
    answered = [received(SETTINGS, seed) for seed in range(8)]
    alone = [received(replace(SETTINGS, feedback=False), seed) for seed in range(8)]
    mean = {name: sum(len(came) for came, _ in runs) / 8 for name, runs in (("answered", answered), ("alone", alone))}
    assert mean["answered"] > mean["alone"] + 4
    assert all(set(range(1, 5)) <= came for came, _ in answered)
    assert sum(redundancy for _, redundancy in answered) / 8 < 0.14


def parity_share(events):
    kinds = [event.kind for event in events if isinstance(event, PacketSent)]
    return kinds.count("parity") / len(kinds)


def test_without_answers_all_losses_are_planned_for_after_a_while():
    session, now, events = SenderSession(stream(), SETTINGS, stream_id=1, now=0.0), 0.0, []
    while (timer := session.next_timer()) is not None and now < 9.5:
        session.datagrams_to_send(now)
        while (event := session.next_event()) is not None:
            events.append((now, event))
        now = max(now, timer)
        session.handle_timer(now)
    replans = [(at, event.losses) for at, event in events if isinstance(event, Replanned)]
    assert [at for at, _ in replans] == [pytest.approx(2.0, abs=0.2)]
    early = parity_share([event for at, event in events if at < 2])
    assert parity_share([event for at, event in events if at >= 2]) > 2 * early


def run_over(link, settings, seed=0):
    """A stream over a link: ids of the segments that the first plan sends, and of those that come; bytes and end."""
    sender = SenderSession(stream(), settings, stream_id=1, now=0.0)
    planned = {
        segment
        for slot in sender.plan.slots
        if slot.index < sender.plan.sources[slot.block]
        for segment in sender.packed.blocks[slot.block].packets[slot.index].segments
    }
    came, sizes, ends = set(), [], []

    def on_event(now, _session, event):
        if isinstance(event, SegmentReceived):
            came.add(event.segment_id)
        elif isinstance(event, PacketSent):
            sizes.append(event.size)
        elif isinstance(event, StreamFinished):
            ends.append((now, event.reason))

    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    routes = [Route(sender, Link(link, seed=seed), receiver), Route(receiver, Link(link, seed=1), sender)]
    simulate(routes, on_event=on_event)
    return planned, came, sum(sizes), ends[0]


@pytest.mark.parametrize("repair", [True, False])
def test_time_that_was_set_aside_for_losses_is_used_while_there_are_none(repair):
    """A third of the packets was expected to be lost, and none is: more comes than was planned, until the deadline."""
    settings = replace(SETTINGS, expect=LossModel(0.35, 4))
    link = LinkSettings(rate_bps=50_000)
    _, unasked, _, _ = run_over(link, replace(settings, feedback=False))
    planned, came, bytes_used, (ended_s, _) = run_over(link, replace(settings, repair=repair))
    assert planned <= came
    assert len(came) > 1.2 * len(unasked)
    assert bytes_used <= settings.budget_bytes + 1000
    assert ended_s == pytest.approx(10, abs=1.2)


def test_what_is_added_is_what_comes_next():
    _, came, *_ = run_over(LinkSettings(rate_bps=50_000), replace(SETTINGS, expect=LossModel(0.35, 4)))
    order = [segment.id for segment in SenderSession(stream(), SETTINGS, stream_id=1, now=0.0).packed.stream.segments]
    assert came == set(order[: len(came)])

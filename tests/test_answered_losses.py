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
from sender.events import PacketSent, Replanned
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

"""Both sessions against each other over simulated links, on a virtual clock."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streams import make_stream

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.loss_model import LossModel
from progressive.wire.expected_quality import Curve
from progressive.wire.manifest import Manifest
from progressive.wire.protection import POLICIES
from receiver.events import QualityTold, SegmentReceived, StreamEnded, StreamStarted
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import PacketSent, StreamFinished
from sender.session import SenderSession
from sender.settings import SenderSettings

START = 1000.0


class Run:
    """One stream over a link and back."""

    def __init__(self, stream, sender_settings, link, *, back=None, seed=0, prepare=lambda sender: None):
        parity = sender_settings.inner_parity
        self.sender = SenderSession(stream, sender_settings, stream_id=5, now=START)
        self.receiver = ReceiverSession(ReceiverSettings(inner_parity=parity), now=START)
        self.received, self.ends, self.sent, self.events = {}, [], 0, []
        prepare(self.sender)
        there, again = Link(link, seed=seed), Link(back or link, seed=seed + 1)
        routes = [Route(self.sender, there, self.receiver), Route(self.receiver, again, self.sender)]
        self.duration_s = simulate(routes, start_s=START, on_event=self.take, limit_s=START + 60) - START

    def take(self, now, session, event):
        self.events.append(event)
        if isinstance(event, SegmentReceived):
            assert event.segment_id not in self.received
            self.received[event.segment_id] = event.payload
        elif isinstance(event, StreamFinished | StreamEnded):
            self.ends.append(event.reason)
        elif isinstance(event, PacketSent):
            self.sent += 1


@settings(max_examples=40, deadline=None)
@given(
    base=st.integers(0, 6),
    enhance=st.integers(0, 30),
    loss=st.floats(0, 0.6),
    burst=st.floats(2, 10),
    jitter_s=st.floats(0, 0.3),
    protection=st.sampled_from(sorted(POLICIES)),
    feedback=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_over_any_link_what_arrives_is_right_and_both_ends_stop(
    base, enhance, loss, burst, jitter_s, protection, feedback, seed
):
    stream = make_stream(base=base, enhance=enhance, payload=(20, 900), seed=seed)
    sender_settings = SenderSettings(50_000, protection=protection, feedback=feedback)
    link = LinkSettings(loss=LossModel(loss, burst), delay_s=0.05, jitter_s=jitter_s)
    run = Run(stream, sender_settings, link, seed=seed)
    payloads = {segment.id: segment.payload for segment in stream.segments}
    assert all(payloads[identifier] == payload for identifier, payload in run.received.items())
    assert run.sender.done
    # A receiver that has heard a single packet cannot know how far apart they come, and waits half a minute.
    assert run.duration_s < (10 + 1 + 3 + 2 if run.receiver.statistics.received > 1 else 10 + 30)
    # A burst may take every packet; otherwise the receiver ends as well.
    assert run.receiver.done or run.receiver.statistics.received == 0


@pytest.mark.parametrize("protection", sorted(POLICIES))
@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_a_receiver_learns_what_quality_to_expect_once_there_is_a_photo(protection, loss):
    curve = Curve.of(4, 24, 1, [8, 20, 30])
    settings_ = SenderSettings(50_000, protection=protection)
    link = LinkSettings(loss=LossModel(loss, 1.25), delay_s=0.05)
    run = Run(make_stream(enhance=20), settings_, link, prepare=lambda sender: sender.tell(Manifest(curve)), seed=3)
    told = [event for event in run.events if isinstance(event, StreamStarted | QualityTold | StreamEnded)]
    assert [type(event) for event in told] == [StreamStarted, QualityTold, StreamEnded]
    assert told[1].expectation.curve == curve


@pytest.mark.parametrize("protection", sorted(POLICIES))
@pytest.mark.parametrize("inner_parity", [0, 32])
def test_without_loss_everything_arrives_and_the_sender_stops_early(protection, inner_parity):
    settings_ = SenderSettings(50_000, protection=protection, inner_parity=inner_parity)
    run = Run(make_stream(enhance=20), settings_, LinkSettings(delay_s=0.05))
    assert len(run.received) == 24
    assert run.ends == ["complete", "complete"]
    assert run.duration_s < 5


def test_protection_restores_what_a_lossy_link_takes():
    link = LinkSettings(loss=LossModel(0.1, 5), delay_s=0.05)
    runs = {
        protection: [
            len(Run(make_stream(), SenderSettings(50_000, protection=protection), link, seed=seed).received)
            for seed in range(20)
        ]
        for protection in ("auto", "none")
    }
    assert sum(runs["auto"]) > sum(runs["none"])
    assert runs["auto"].count(24) >= 19


def test_feedback_saves_packets():
    sent = [
        Run(make_stream(), SenderSettings(50_000, feedback=feedback), LinkSettings(delay_s=0.05)).sent
        for feedback in (True, False)
    ]
    assert sent[0] < 0.7 * sent[1]


def test_a_deaf_sender_says_silence_and_the_receiver_has_everything():
    run = Run(make_stream(), SenderSettings(50_000), LinkSettings(), back=LinkSettings(loss=LossModel(0.999999)))
    assert sorted(run.ends) == ["complete", "silence"]
    assert len(run.received) == 24

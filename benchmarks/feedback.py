"""What feedback brings: streams planned anew and repaired, and sequences of which only what changed is sent.

    python -m benchmarks.feedback [--streams 20] [--frames 10]

Streams of 44 packets of random bytes at 50 kbit/s for 10 s, planned at first for 10 % loss in bursts of 5, over links
that lose as much or something else: segments that arrive and when the base is there, the same seeds with and without
replanning and repair. Then a photo over which a small square moves, a frame every 3 s over a lossless link, each within
2 s: bytes and quality with and without feedback.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, Session, simulate
from progressive.codec import Photo
from progressive.loss_model import LossModel
from progressive.metrics import psnr
from progressive.photos import sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream, Segment, StreamHeader
from receiver.canvases import Canvases
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import PacketSent
from sender.frame import Frame, TimedFrames
from sender.sequence import FrameSequence
from sender.session import SenderSession
from sender.settings import SenderSettings

LOSSES = (LossModel(0.02, 2), LossModel(0.1, 5), LossModel(0.3, 4))
BASE = 4


@dataclass(slots=True)
class Outcome:
    """Segments by when they arrived, in seconds, and bytes sent."""

    arrived_s: dict[int, float] = field(default_factory=dict)
    payloads: dict[int, bytes] = field(default_factory=dict)
    bytes: int = 0

    def take(self, now: float, session: Session, event: object) -> None:
        match event:
            case SegmentReceived():
                self.arrived_s[event.segment_id] = now
                self.payloads[event.segment_id] = event.payload
            case PacketSent():
                self.bytes += event.size

    @property
    def base_s(self) -> float:
        """When the last segment of the base came; infinite if one never did."""
        return max(self.arrived_s.get(segment, np.inf) for segment in range(1, BASE + 1))


def run(sender: SenderSession, loss: LossModel, seed: int, start_s: float = 0.0) -> Outcome:
    outcome = Outcome()
    receiver = ReceiverSession(ReceiverSettings(), now=start_s)
    there, back = (Link(LinkSettings(loss=loss, delay_s=0.05), seed=2 * seed + i) for i in range(2))
    simulate([Route(sender, there, receiver), Route(receiver, back, sender)], start_s=start_s, on_event=outcome.take)
    return outcome


def random_stream(seed: int, packets: int = 44) -> LayeredStream:
    rng = random.Random(seed)
    segments = tuple(
        Segment(i, int(i > BASE), (min(i - 1, BASE),) if i > 1 else (), rng.randbytes(950), utility=1e6 / i)
        for i in range(1, packets + 1)
    )
    return LayeredStream(StreamHeader(1, bytes(8), 640, 480, packets), segments)


def compare_streams(streams: int) -> None:
    print("losses                           replanned  repaired  segments  base by 10 s  base, mean   kB sent")
    for loss in LOSSES:
        for replanned, repaired in ((True, True), (True, False), (False, True), (False, False)):
            outcomes = [one_stream(loss, seed, replanned=replanned, repaired=repaired) for seed in range(streams)]
            base_s = np.array([outcome.base_s for outcome in outcomes])
            there = np.isfinite(base_s)
            print(
                f"{loss!s:33}{'yes' if replanned else 'no':>9}{'yes' if repaired else 'no':>10}"
                f"{np.mean([len(outcome.arrived_s) for outcome in outcomes]):10.1f}{there.mean():14.1%}"
                f"{base_s[there].mean():10.2f} s{np.mean([outcome.bytes for outcome in outcomes]) / 1e3:10.1f}"
            )


def one_stream(loss: LossModel, seed: int, *, replanned: bool, repaired: bool) -> Outcome:
    settings = SenderSettings(50_000, repair=repaired)
    sender = (SenderSession if replanned else FirstPlanOnly)(random_stream(seed), settings, stream_id=seed, now=0.0)
    return run(sender, loss, seed)


class FirstPlanOnly(SenderSession):
    """Never plans again."""

    def _replan(self, *_: object) -> None:
        return


@dataclass(slots=True)
class Clock:
    """Seconds since the start."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s

    def wait_until(self, time_s: float) -> None:
        self.now_s = time_s


def compare_sequences(count: int) -> None:
    background = sample_photo("coffee")[:384, :576]
    photos = []
    for number in range(count):
        photo = background.copy()
        photo[180:230, 40 * number : 40 * number + 50] = (220, 40, 40)
        photos.append(photo)
    print("\nfeedback  frames sent  area sent     kB a frame  PSNR, mean of frames")
    for feedback in (True, False):
        sequence, outcomes = send_sequence(photos, SenderSettings(50_000, deadline_s=2.0, feedback=feedback))
        size, quality = np.mean([outcome.bytes for outcome, _ in outcomes]), np.mean([q for _, q in outcomes])
        words = f"{sequence.sent_count:13}{sequence.share_sent:11.0%}{size / 1e3:15.1f}{quality:20.2f} dB"
        print(f"{'yes' if feedback else 'no':8}{words}")


def send_sequence(photos: list[Photo], settings: SenderSettings) -> tuple[FrameSequence, list[tuple[Outcome, float]]]:
    """The frames over a lossless link: what was sent of each, and the PSNR of the whole frame at its end, in dB."""
    codec, clock, canvases = load_codec(DEFAULT_CODEC), Clock(), Canvases()
    sequence = FrameSequence(
        TimedFrames(Frame(str(i), 3.0 * i, partial(np.asarray, photo)) for i, photo in enumerate(photos)),
        codec,
        settings,
        full_size=True,
        context=None,
        clock=clock,
        wait_until=clock.wait_until,
    )
    outcomes: list[tuple[Outcome, float]] = []
    while (turn := sequence.next()) is not None:
        number, placement = len(outcomes), turn.prepared.placement
        settings = replace(settings, deadline_s=turn.deadline_s)
        sender = SenderSession(turn.prepared.packed, settings, stream_id=number, now=clock())
        outcome = run(sender, LossModel(0.0), number, clock())
        sequence.sent(turn, number, sender.stream, sender.known_segments)
        decoder = codec.decoder(sender.stream.header)
        for segment, payload in outcome.payloads.items():
            decoder.push(segment, payload)
        picture = canvases.show(number, placement, decoder.picture())
        outcomes.append((outcome, psnr(picture, turn.prepared.photo)))
    return sequence, outcomes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=20)
    parser.add_argument("--frames", type=int, default=10)
    args = parser.parse_args()
    compare_streams(args.streams)
    compare_sequences(args.frames)


if __name__ == "__main__":
    main()

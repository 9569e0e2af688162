"""How long 100,000 trials of one photo take: packet fates, what is restored and shown, quality over time.

    python -m benchmarks.trials [--photo NAME] [--source rmpgc] [--channel ep4] [--trials 100000]

One core, each way of delivery at 50 kbit/s until 10 s. Beside it stand the seconds that a single real session takes
for the same photo on a virtual clock, pictures included, which is what the additive model saves.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import _data
from channel_sim.link import Link
from channel_sim.simulate import Route, Session, simulate
from channel_sim.spec import parse_channel
from experiments.case import Case, Conditions, Parameters, System
from experiments.photo_names import load_photo
from experiments.sources.layered import PackedPhoto
from experiments.systems import DELIVERIES, prepare, run
from progressive.registry import CODECS, DEFAULT_CODEC, load_codec
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

PARAMETERS = Parameters(redundancy=0.35, block=16, depth=2)
BANDWIDTH_BPS, DEADLINE_S = 50_000.0, 10.0


def session_seconds(photo: str, source: str, channel: str) -> float:
    """Of one real session, every segment shown."""
    codec, settings = load_codec(source), SenderSettings(BANDWIDTH_BPS, deadline_s=DEADLINE_S, feedback=False)
    stream = PackedPhoto.of(codec, load_photo(photo), settings.packet_size).stream
    start = time.perf_counter()
    sender = SenderSession(stream, settings, stream_id=1, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    decoder = codec.decoder(sender.stream.header)

    def on_event(_now: float, _session: Session, event: object) -> None:
        if isinstance(event, SegmentReceived):
            decoder.push(event.segment_id, event.payload)
            decoder.picture()

    simulate([Route(sender, Link(parse_channel(channel), seed=1), receiver)], on_event=on_event)
    return time.perf_counter() - start


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photo", default="skimage:coffee")
    parser.add_argument("--source", default=DEFAULT_CODEC)
    parser.add_argument("--channel", default="ep4")
    parser.add_argument("--trials", type=int, default=100_000)
    args = parser.parse_args()
    conditions = Conditions(args.channel, BANDWIDTH_BPS, DEADLINE_S)
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        start = time.perf_counter()
        prepare(args.source, args.photo, cache)
        sys.stdout.write(
            f"{args.source}, packets made and measured: {time.perf_counter() - start:.1f} s, once a photo\n"
        )
        for delivery in DELIVERIES:
            case = Case(args.photo, System(args.source, delivery), conditions, PARAMETERS, args.trials, seed=0)
            start = time.perf_counter()
            outcome = run(case, cache)
            seconds = time.perf_counter() - start
            sys.stdout.write(
                f"{delivery:15} {args.trials} trials {seconds:7.1f} s   PSNR {outcome.psnr.mean():.2f} dB, over time "
                f"{outcome.area.mean():.2f} dB, a picture in {100 * outcome.shown.mean():.3f} %\n"
            )
    if args.source in CODECS:
        seconds = session_seconds(args.photo, args.source, args.channel)
        sys.stdout.write(
            f"one real session with its pictures: {seconds:.1f} s, {args.trials} of them "
            f"{args.trials * seconds / 3600:.0f} h\n"
        )


if __name__ == "__main__":
    _data.run(benchmark)

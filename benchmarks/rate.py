"""A followed rate beside fixed ones on measured links: how good the picture is when, and how long packets wait.

    python -m benchmarks.rate [--data FOLDER] [--traces GLOB] [--share 0.1] [--starts 3]

One photo for 10 s over each trace of the data folder, on a virtual clock, from several places in the trace, with 50 ms
of delay each way and a queue without a limit; reports come back over the same kind of link. The rate is followed, or
fixed at half, once and twice the mean of the trace. `--share` makes the links slower: at a tenth a photo takes the
whole time, as on the links that this project is for. Printed are

- the mean PSNR over the time until the deadline, in dB above that of mid-grey, and which part of what the best fixed
  rate reaches the followed one does;
- the share of the data packets that are late: there only after the deadline, or never;
- the 95th percentile of the time from when a packet is sent until its last bit has left the link, in seconds.

PSNRs follow from the additive distortions of the packets, as in the experiments.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import _data
from channel_sim.link import Link, LinkSettings, Passage
from channel_sim.simulate import Route, Session, simulate
from channel_sim.traces import DeliveryOpportunities, RateOverTime, Trace, read_trace
from experiments.material import Material
from experiments.sources.layered import LayeredSource, PackedPhoto
from progressive.errors import UsageError
from progressive.packing.packed import PackedStream
from progressive.photos import find_photos, read_photo, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.units import format_bandwidth
from progressive.wire.packet import Kind, parse_packet
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

DEADLINE_S = 10.0
DELAY_S = 0.05
FIXED = {"half": 0.5, "mean": 1.0, "twice": 2.0}


@dataclass(frozen=True)
class Subject:
    """A coded photo: what is sent of it, and what any reception shows."""

    packed: PackedStream
    material: Material

    @classmethod
    def of(cls, path: str | None, folder: Path) -> Subject:
        photo = sample_photo() if path is None else read_photo(find_photos(path)[0])
        settings = SenderSettings(1.0)
        material = LayeredSource(DEFAULT_CODEC).material(photo, None, settings.packet_size, folder)
        stream = PackedPhoto.of(load_codec(DEFAULT_CODEC), photo, settings.packet_size).stream
        return cls(PackedStream.of(stream, settings.payload_size), material)

    def mean_above_grey(self, segment_s: dict[int, float]) -> float:
        """Over the time until the deadline, in dB, given when each segment came."""
        packets = [packet.segments for block in self.packed.blocks for packet in block.packets]
        there_s = [max((segment_s.get(segment, np.inf) for segment in own), default=0.0) for own in packets]
        shown_s = self.material.shown_s(np.array([there_s]))[0]
        order = np.argsort(shown_s, kind="stable")
        psnr = self.material.qualities(order[None])[0][0]
        edges = np.concatenate([[0.0], np.minimum(shown_s[order], DEADLINE_S), [DEADLINE_S]])
        return float(((psnr - psnr[0]) * np.diff(edges)).sum() / DEADLINE_S)


@dataclass(slots=True)
class Watched:
    """A link that keeps how each packet passed; looks like a `Link` to the simulation."""

    link: Link
    passages: list[tuple[Passage, bool]] = field(default_factory=list)

    def send(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        passage = self.link.carry(data, now)
        self.passages.append((passage, parse_packet(data).kind is Kind.DATA))
        return passage.arrivals


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one stream, or the mean of several.

    Fields:
        area: mean PSNR over time above mid-grey, in dB.
        late: share of the data packets.
        delays_s: of all packets, until the last bit has left.
    """

    area: float
    late: float
    delays_s: tuple[float, ...]


def stream(subject: Subject, settings: SenderSettings, trace: Trace, start_s: float) -> Outcome:
    """One photo from a place in the trace."""
    links = [Link(LinkSettings(trace=trace, delay_s=DELAY_S), seed=seed, start_s=-start_s) for seed in range(2)]
    there = Watched(links[0])
    sender = SenderSession(subject.packed, settings, stream_id=1, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(silence_s=30.0), now=0.0)
    segment_s: dict[int, float] = {}

    def on_event(now: float, _session: Session, event: object) -> None:
        if isinstance(event, SegmentReceived):
            segment_s.setdefault(event.segment_id, now)

    routes = [Route(sender, there, receiver), Route(receiver, links[1], sender)]  # type: ignore[arg-type]
    simulate(routes, on_event=on_event, limit_s=3 * DEADLINE_S)
    data = [passage for passage, is_data in there.passages if is_data]
    late = np.mean([min((at for at, _ in p.arrivals), default=np.inf) > DEADLINE_S for p in data])
    delays_s = tuple(passage.end_s - passage.offered_s for passage, _ in there.passages)
    return Outcome(subject.mean_above_grey(segment_s), float(late), delays_s)


def slowed(trace: Trace, share: float) -> Trace:
    """A link with this share of the rate."""
    if isinstance(trace, RateOverTime):
        return RateOverTime(trace.name, trace.edges_s, trace.rates_bps * share)
    return DeliveryOpportunities(trace.name, trace.at_ms[:: round(1 / share)])


def mean(outcomes: Sequence[Outcome]) -> Outcome:
    delays = tuple(delay for outcome in outcomes for delay in outcome.delays_s)
    area, late = (float(np.mean([getattr(outcome, name) for outcome in outcomes])) for name in ("area", "late"))
    return Outcome(area, late, delays)


def compare(subject: Subject, traces: Iterable[Path], share: float, starts: int) -> None:
    names = ["auto", *FIXED]
    columns = "".join(f"{name:>7}" for name in names)
    print(f"{'':68}{'dB above grey':>28}{'':10}{'% late':>28}{'95 % of delays, s':>28}")
    print(f"{'trace':56}{'mean rate':>12}{columns}{'auto':>8} %{columns}{columns}")
    for path in traces:
        trace = slowed(read_trace(path), share)
        places = [trace.length_s * number / starts for number in range(starts)]
        settings = {
            "auto": SenderSettings(50_000, deadline_s=DEADLINE_S, follow=True),
            **{name: SenderSettings(part * trace.mean_bps, deadline_s=DEADLINE_S) for name, part in FIXED.items()},
        }
        found = {name: mean([stream(subject, own, trace, at) for at in places]) for name, own in settings.items()}
        best = max(found[name].area for name in FIXED)
        figures = (
            [f"{found[name].area:7.2f}" for name in names],
            [f"{100 * found['auto'].area / best:8.1f} %"],
            [f"{100 * found[name].late:7.1f}" for name in names],
            [f"{np.percentile(found[name].delays_s, 95):7.2f}" for name in names],
        )
        row = "".join(text for group in figures for text in group)
        print(f"{path.name[:55]:56}{format_bandwidth(trace.mean_bps, digits=3):>12}{row}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--traces", default="traces/*/*", help="glob in the data folder")
    parser.add_argument("--photo", help="default: one of scikit-image")
    parser.add_argument("--share", type=float, default=1.0, help="of the rate of each trace, above 0 to 1")
    parser.add_argument("--starts", type=int, default=3, help="places in each trace")
    args = parser.parse_args()

    def benchmark() -> None:
        paths = sorted(path for path in _data.checked_folder(args.data).glob(args.traces) if path.suffix in SUFFIXES)
        if not paths:
            raise UsageError(f"there are no traces {args.traces} in {args.data}: give --traces or --data")
        with tempfile.TemporaryDirectory() as folder:
            subject = Subject.of(args.photo, Path(folder))
        compare(subject, paths, args.share, args.starts)

    _data.run(benchmark)


SUFFIXES = {".log", ".up", ".down"}


if __name__ == "__main__":
    main()

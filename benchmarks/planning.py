"""Planned protection beside equal protection of the best redundancy, over the packet error patterns EP1 to EP6.

    python -m benchmarks.planning [--photos FOLDER] [--trials 2000] [--runs 0]

Prints three tables. How long a plan takes on one core. Whether the base has arrived by the deadline without feedback:
exactly from the loss chain, and in drawn trials, with the share of its parity in all bytes. Planned against equal
protection at the same bytes and deadline, with the losses known and with half and double of them assumed: PSNR at the
deadline, mean PSNR over the time until it, share of the runs that show a picture. For each of these figures equal
protection has the redundancy that is best for it on these very photos, by the losses assumed. PSNRs follow from the
additive distortions of the packets; where nothing arrived the picture is grey. `--runs N` simulates whole sessions,
with feedback and without, the losses known, and says how far the last picture ends below that of a lossless link with
as many bytes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from channel_sim.link import Link, LinkSettings
from channel_sim.loss import draw_trials
from channel_sim.presets import PRESETS
from channel_sim.simulate import Route, Session, simulate
from progressive.codec import Photo, ProgressiveCodec
from progressive.loss_model import LossModel
from progressive.metrics.pixelwise import psnr
from progressive.packing.order import order_segments
from progressive.packing.packetizer import max_segment_payload, packetize, shapes_of
from progressive.photos import downscale, find_photos, read_photo, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream
from progressive.wire.protection import (
    BlockShape,
    Goal,
    Plan,
    Progress,
    plan_protection,
    probability_of_block,
    replan,
)
from progressive.wire.protection.quality import Sources, quality_of_fates, score
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.events import PacketSent
from sender.session import SenderSession
from sender.settings import SenderSettings

SAMPLES = ("astronaut", "coffee", "chelsea", "rocket")
PATTERNS = ("ep1", "ep2", "ep3", "ep4", "ep5", "ep6")
HEAVY = PATTERNS[3:]
REDUNDANCIES = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, None)
MOST_PIXELS = 768 * 512

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Subject:
    """A photo, coded and packed; `sources` know what the whole stream really leaves of the distortion."""

    photo: Photo
    stream: LayeredStream
    blocks: list[BlockShape]
    sources: Sources

    @property
    def grey_psnr(self) -> float:
        """PSNR of a picture of which nothing has come, by the additive distortions."""
        return float(10 * np.log10(255**2 * self.photo.size / self.sources.total))


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over photos and runs: PSNR at the deadline and over time, share of the runs that show a picture."""

    final: float
    area: float
    shown: float


def subject(photo: Photo, codec: ProgressiveCodec, settings: SenderSettings) -> Subject:
    limit = max_segment_payload(settings.packet_size)
    stream = codec.encode(photo, max_payload=limit, context="reconstruct")
    ordered = order_segments(stream.segments)
    blocks = shapes_of(packetize(stream.header, ordered, settings.payload_size), ordered, settings.wire_size_of_payload)
    decoder = codec.decoder(stream.header)
    for segment in stream.segments:
        decoder.push(segment.id, segment.payload)
    left = float(np.square(decoder.picture().astype(np.float64) - photo).sum())
    return Subject(photo, stream, blocks, replace(Sources.of(blocks), residual=left))


def measure(subject: Subject, plan: Plan, model: LossModel, goal: Goal, trials: int) -> Figures:
    """By drawn fates of a plan's packets."""
    lost = draw_trials(model, trials, len(plan.slots), seed=1)
    quality = quality_of_fates(subject.sources, plan, lost)
    area = score(quality.mean(axis=0), plan.sizes, goal)
    return Figures(
        subject.grey_psnr + float(quality[:, -1].mean()), subject.grey_psnr + area, float((quality[:, -1] > 0).mean())
    )


def mean(figures: Sequence[Figures]) -> Figures:
    return Figures(*(float(np.mean([getattr(f, name) for f in figures])) for name in Figures.__slots__))


def assumed(model: LossModel, factor: float) -> LossModel:
    loss = min(factor * model.loss, 0.9)
    burst = None if model.burst is None else max(model.burst, loss / (1 - loss))
    return LossModel(loss, burst)


def loss_of(pattern: str) -> LossModel:
    model = PRESETS[pattern].settings.loss
    assert isinstance(model, LossModel)
    return model


def milliseconds(work: Callable[[], object], rounds: int = 20) -> float:
    """Processor time, the least of some repetitions."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return 1000 * min(times)


def synthetic(packets: int) -> list[BlockShape]:
    """A stream of so many sources in a base of two and tiers of 8, 16, 32, .."""
    sizes = np.random.default_rng(0).integers(500, 1100, packets)
    left = np.geomspace(300, 3, packets)
    utilities = -np.diff([6000.0, *left])
    blocks, first = [], 0
    for layer, k in enumerate((2, 8, 16, *(32 for _ in range(packets)))):
        last = min(first + k, packets)
        if first < last:
            blocks.append(BlockShape(layer, tuple(sizes[first:last].tolist()), tuple(utilities[first:last].tolist())))
        first = last
    return blocks


def print_speed() -> None:
    print(f"{'source packets':16} {'slots':>6} {'plan':>9} {'replan after half':>18}")
    for packets in (40, 100, 400):
        blocks = synthetic(packets)
        goal = Goal(sum(sum(shape.sizes) for shape in blocks) * 5 // 4, model=LossModel(0.138, 1.7))
        plan = plan_protection("auto", blocks, goal)
        half = len(plan.slots) // 2
        rng = np.random.default_rng(0)
        arrived = tuple(bool(fate) for fate in rng.random(half) > 0.138)
        progress = Progress(plan.slots[:half], arrived, sources=plan.sources)
        rest = Goal(sum(plan.sizes[half:]), model=goal.model)

        def make(blocks: list[BlockShape] = blocks, goal: Goal = goal) -> Plan:
            return plan_protection("auto", blocks, goal)

        def remake(blocks: list[BlockShape] = blocks, rest: Goal = rest, progress: Progress = progress) -> Plan:
            return replan("auto", blocks, rest, progress)

        print(f"{packets:16} {len(plan.slots):6} {milliseconds(make):6.1f} ms {milliseconds(remake):15.1f} ms")


def print_base(subjects: Sequence[Subject], goal_bytes: int, deadline_s: float) -> None:
    print(f"\n{f'base by {deadline_s:g} s':16} {'exact, mean':>12} {'least':>11} {'drawn':>11} {'its parity':>11}")
    for pattern in PATTERNS:
        model = loss_of(pattern)
        exact, drawn, parity = [], [], []
        for one in subjects:
            plan = plan_protection("auto", one.blocks, Goal(goal_bytes, model=model))
            exact.append(probability_of_block(plan, 0, model)[-1])
            lost = draw_trials(model, 50_000, len(plan.slots), seed=2)
            drawn.append(((~lost[:, plan.slots_of(0)]).sum(axis=1) >= plan.sources[0]).mean())
            parity.append(plan.parity_bytes(0) / sum(plan.sizes))
        print(
            f"{pattern:16} {100 * np.mean(exact):10.4f} % {100 * min(exact):9.4f} % {100 * np.mean(drawn):9.4f} %"
            f" {100 * np.mean(parity):9.1f} %"
        )


def print_gain(subjects: Sequence[Subject], goal_bytes: int, trials: int) -> None:
    print(f"\n{'planned - equal':30} {'PSNR at end':>20} {'PSNR over time':>20} {'runs with a picture':>24}")
    for pattern in HEAVY:
        model = loss_of(pattern)
        for words, factor in (("known", 1.0), ("half assumed", 0.5), ("double assumed", 2.0)):
            believed = assumed(model, factor)
            goal = Goal(goal_bytes, model=believed)
            ours = mean([measure(s, plan_protection("auto", s.blocks, goal), model, goal, trials) for s in subjects])
            equal = best_equal(subjects, goal, believed, model, trials)
            print(
                f"{pattern} {words:26} {ours.final:6.2f} - {equal.final:5.2f} = {ours.final - equal.final:+.2f}"
                f" {ours.area:6.2f} - {equal.area:5.2f} = {ours.area - equal.area:+.2f}"
                f" {100 * ours.shown:8.2f} - {100 * equal.shown:6.2f} %"
            )


def best_equal(subjects: Sequence[Subject], goal: Goal, believed: LossModel, model: LossModel, trials: int) -> Figures:
    """What equal protection reaches over `model` with the redundancy that is best for each figure over `believed`."""

    def figures(share: float | None, over: LossModel) -> Figures:
        plans = [plan_protection("equal", s.blocks, Goal(goal.budget_bytes, share)) for s in subjects]
        return mean([measure(s, plan, over, goal, trials) for s, plan in zip(subjects, plans, strict=True)])

    expected = {share: figures(share, believed) for share in REDUNDANCIES}
    best = {name: max(expected, key=lambda share: getattr(expected[share], name)) for name in Figures.__slots__}
    return Figures(*(float(getattr(figures(share, model), name)) for name, share in best.items()))


def print_runs(subjects: Sequence[Subject], codec: ProgressiveCodec, settings: SenderSettings, runs: int) -> None:
    unprotected = replace(settings, protection="none", feedback=False)
    lossless = [session(s, codec, unprotected, "none", 0).psnr for s in subjects]
    print(
        f"\n{f'{runs} sessions a photo':20} {'auto with feedback':>32} {'auto':>10} {'equal':>10}   dB below lossless"
    )
    for pattern in PATTERNS:
        ways = {
            "answered": settings,
            "auto": replace(settings, feedback=False),
            "equal": replace(settings, feedback=False, protection="equal"),
        }
        below, redundancy = {}, {}
        for way, own in ways.items():
            expecting = replace(own, expect=loss_of(pattern))
            ended = [
                [session(s, codec, expecting, pattern, number * runs + run) for run in range(runs)]
                for number, s in enumerate(subjects)
            ]
            below[way] = np.mean([best - e.psnr for best, of in zip(lossless, ended, strict=True) for e in of])
            redundancy[way] = np.mean([e.redundancy for of in ended for e in of])
        print(
            f"{pattern:20} {below['answered']:6.2f} dB, {100 * redundancy['answered']:5.1f} % redundancy"
            f" {below['auto']:10.2f} {below['equal']:10.2f}"
        )


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that is over: PSNR of the last picture, bytes beyond those of source packets / bytes of these."""

    psnr: float
    redundancy: float


def session(subject: Subject, codec: ProgressiveCodec, settings: SenderSettings, channel: str, seed: int) -> Ended:
    """A whole session over simulated links as fast as the sender; reports come back over one that loses as much."""
    sender = SenderSession(subject.stream, settings, stream_id=1, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(), now=0.0)
    decoder = codec.decoder(sender.stream.header)
    sizes = {"source": 0, "parity": 0, "repair": 0, "control": 0}

    def on_event(_now: float, _session: Session, event: object) -> None:
        if isinstance(event, SegmentReceived):
            decoder.push(event.segment_id, event.payload)
        elif isinstance(event, PacketSent):
            sizes[event.kind] += event.size

    link = LinkSettings() if channel == "none" else PRESETS[channel].settings
    routes = [Route(sender, Link(replace(link, rate_bps=settings.bandwidth_bps), seed=2 * seed), receiver)]
    if settings.feedback:
        routes.append(Route(receiver, Link(link, seed=2 * seed + 1), sender))
    simulate(routes, on_event=on_event)
    return Ended(psnr(subject.photo, decoder.picture()), sum(sizes.values()) / sizes["source"] - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", help="folder or glob; default: four of scikit-image")
    parser.add_argument("--bandwidth", type=float, default=50_000, help="bit/s")
    parser.add_argument("--deadline", type=float, default=10, help="seconds")
    parser.add_argument("--trials", type=int, default=2000, help="of each photo, pattern and plan")
    parser.add_argument("--runs", type=int, default=0, help="whole sessions of each photo, pattern and policy")
    args = parser.parse_args()

    def benchmark() -> None:
        settings = SenderSettings(args.bandwidth, deadline_s=args.deadline)
        codec = load_codec(DEFAULT_CODEC)
        paths: list[Path] = find_photos(args.photos) if args.photos else []
        photos = [read_photo(path) for path in paths] or [sample_photo(name) for name in SAMPLES]
        subjects = [subject(downscale(photo, max_pixels=MOST_PIXELS), codec, settings) for photo in photos]
        print_speed()
        print_base(subjects, settings.budget_bytes, args.deadline)
        print_gain(subjects, settings.budget_bytes, args.trials)
        if args.runs:
            print_runs(subjects, codec, settings, args.runs)

    _data.run(benchmark)


if __name__ == "__main__":
    main()

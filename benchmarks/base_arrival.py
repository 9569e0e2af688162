"""When the base has arrived over a lossy link without feedback: exactly from the loss chain, and by seeded trials.

    python -m benchmarks.base_arrival [--photo PHOTO] [--trials 100000]

Prints a line for the photo and one for each synthetic base of 1 to 4 packets in streams of 8 to 50 (the worst of
them): probability by the deadline, share of the base's parity, median and 99th percentile of the time of arrival.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel
from progressive.packing.order import order_segments
from progressive.packing.packetizer import (
    FIRST_TIER_PACKETS,
    MAX_BLOCK_SOURCES,
    max_segment_payload,
    packetize,
    shapes_of,
)
from progressive.photos import read_photo, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.wire.protection import BlockShape, Goal, Plan, plan_protection, probability_of_block
from sender.settings import SenderSettings


@dataclass(frozen=True, slots=True)
class Arrival:
    """Of one plan: exact and drawn probability that the base is there at the end, and times of arrival in seconds."""

    exact: float
    drawn: float
    parity_share: float
    median_s: float
    late_s: float


def draw_losses(model: LossModel, trials: int, slots: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which packets are lost, [trials, slots], the chain started in its stationary state."""
    lost = np.empty((trials, slots), bool)
    lost[:, 0] = rng.random(trials) < model.loss
    for slot in range(1, slots):
        before = lost[:, slot - 1]
        lost[:, slot] = rng.random(trials) < np.where(before, 1 - model.to_good, model.to_bad)
    return lost


def measure(plan: Plan, model: LossModel, bandwidth_bps: float, trials: int, seed: int) -> Arrival:
    """Arrival of block 0; a packet has arrived when its last bit was sent."""
    exact = probability_of_block(plan, 0, model)
    times = np.cumsum(plan.sizes) * 8 / bandwidth_bps
    lost = draw_losses(model, trials, len(plan.slots), np.random.default_rng(seed))
    own = plan.slots_of(0)
    drawn = ((~lost[:, own]).sum(1) >= plan.sources[0]).mean()

    def quantile(share: float) -> float:
        return float(times[np.argmax(exact >= share)]) if exact[-1] >= share else float("inf")

    share = plan.parity_bytes(0) / sum(plan.sizes)
    return Arrival(float(exact[-1]), float(drawn), share, quantile(0.5), quantile(0.99))


def synthetic_shapes(base: int, total: int, size: int) -> list[BlockShape]:
    shapes, left, tier_size = [BlockShape(0, (size,) * base)], total - base, FIRST_TIER_PACKETS
    while left > 0:
        k = min(left, tier_size, MAX_BLOCK_SOURCES)
        shapes.append(BlockShape(len(shapes), (size,) * k))
        left, tier_size = left - k, 2 * tier_size
    return shapes


def photo_shapes(photo: Path | None, codec: str, settings: SenderSettings) -> list[BlockShape]:
    pixels = sample_photo() if photo is None else read_photo(photo)
    limit = max_segment_payload(settings.packet_size)
    stream = load_codec(codec).encode(pixels, max_payload=limit)
    ordered = order_segments(stream.segments)
    blocks = packetize(stream.header, ordered, settings.payload_size)
    return shapes_of(blocks, ordered, settings.wire_size_of_payload)


def report(name: str, arrival: Arrival) -> None:
    print(
        f"{name:34} {100 * arrival.exact:9.4f} % {100 * arrival.drawn:9.4f} % {100 * arrival.parity_share:6.1f} %"
        f" {arrival.median_s:7.2f} s {arrival.late_s:7.2f} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photo", type=Path, help="default: the astronaut of scikit-image")
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--bandwidth", type=float, default=50_000, help="bit/s")
    parser.add_argument("--deadline", type=float, default=10, help="seconds")
    parser.add_argument("--packet-size", type=int, default=1100, help="bytes")
    parser.add_argument("--loss", type=float, default=0.10)
    parser.add_argument("--burst", type=float, default=5)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    settings = SenderSettings(args.bandwidth, packet_size=args.packet_size, deadline_s=args.deadline, feedback=False)
    model = LossModel(args.loss, args.burst)
    goal = Goal(settings.budget_bytes, model=model)

    def arrival_of(shapes: list[BlockShape], trials: int) -> Arrival:
        return measure(plan_protection("auto", shapes, goal), model, args.bandwidth, trials, args.seed)

    print(
        f"loss {100 * args.loss:g} % in bursts of {args.burst:g}, {args.bandwidth / 1000:g} kbit/s, packets of"
        f" {args.packet_size} bytes, no feedback, {args.trials} trials"
    )
    print(f"{'base by the deadline':34} {'exact':>11} {'drawn':>11} {'parity':>8} {'median':>9} {'99 %':>9}")
    shapes = photo_shapes(args.photo, args.codec, settings)
    total = sum(shape.k for shape in shapes)
    name = args.photo.name if args.photo else "astronaut"
    report(f"{name}: {shapes[0].k} of {total} packets", arrival_of(shapes, args.trials))
    for base in range(1, 5):
        streams = [synthetic_shapes(base, total, args.packet_size) for total in range(8, 51)]
        worst = min(streams, key=lambda shapes: arrival_of(shapes, 1).exact)
        total = sum(shape.k for shape in worst)
        report(f"{base} of 8..50 packets, worst: {total}", arrival_of(worst, args.trials))


if __name__ == "__main__":
    main()

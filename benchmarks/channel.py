"""Speed of the channel simulator: packet fates a second on one core, and a broadcast to many receivers.

    OMP_NUM_THREADS=1 python -m benchmarks.channel [--packets 10000000] [--receivers 1000] [--photo 60]

Times are processor seconds of this process, so that whatever else runs on the machine does not count. The loop is what
one would write in plain Python: the chain's next state from one random number, packet by packet.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from channel_sim.link import Link
from channel_sim.loss import GilbertElliott, LossProcess, LossSettings, TimedBursts
from channel_sim.population import draw_fates
from channel_sim.spec import parse_channel
from progressive.loss_model import LossModel

MODELS: dict[str, LossSettings] = {
    "Bernoulli": LossModel(0.1),
    "Gilbert-Elliott by loss and burst": LossModel(0.1, 5),
    "Gilbert-Elliott by p, r, h, k": GilbertElliott(0.05, 0.2, 0.1, 0.99),
    "bursts in time": TimedBursts(0.1, 0.05),
}

BROADCASTS = (
    "rayleigh:snr=12dB,doppler=10Hz+modem:bandwidth=1MHz,mcs=qpsk-1/2",
    "rayleigh:snr=12dB,doppler=10Hz+modem:bandwidth=1MHz",
    "pedestrian",
)
PACKET_BYTES = 1100
PACKETS_A_SECOND = 50_000 / (8 * PACKET_BYTES)


def processor_s(work: Callable[[], object], rounds: int = 3) -> float:
    """The least of a few runs, after one that fills caches."""
    work()
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent)


def fates_in_a_loop(model: LossModel, packets: int) -> list[bool]:
    uniform = random.Random(0).random
    to_bad, stay_bad = model.to_bad, 1 - model.to_good
    bad, fates = False, []
    for _ in range(packets):
        bad = uniform() < (stay_bad if bad else to_bad)
        fates.append(bad)
    return fates


def draw(model: LossSettings, times_s: NDArray[np.float64]) -> None:
    LossProcess(model, seed=0).draw(times_s)


def send_one_by_one(spec: str, packets: int) -> None:
    link, data = Link(parse_channel(spec), seed=0), bytes(PACKET_BYTES)
    for packet in range(packets):
        link.send(data, packet / PACKETS_A_SECOND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--packets", type=int, default=10_000_000, help="of each packet-level model")
    parser.add_argument("--single", type=int, default=2000, help="packets over one link, one by one")
    parser.add_argument("--receivers", type=int, default=1000)
    parser.add_argument("--photo", type=int, default=60, help="packets of a broadcast photo")
    args = parser.parse_args()

    times_s = 0.01 * np.arange(args.packets, dtype=np.float64)
    loop_packets = max(1, args.packets // 20)
    loop_rate = loop_packets / processor_s(partial(fates_in_a_loop, LossModel(0.1, 5), loop_packets))
    print(f"{'a loop in Python':<33} {loop_rate / 1e6:6.1f} million fates/s")
    for name, model in MODELS.items():
        rate = args.packets / processor_s(partial(draw, model, times_s))
        print(f"{name:<33} {rate / 1e6:6.1f} million fates/s, {rate / loop_rate:.1f} times the loop")

    for spec in ("ep3+rate:10Mbps,delay=20ms", *BROADCASTS):
        rate = args.single / processor_s(partial(send_one_by_one, spec, args.single))
        print(f"one link, packet by packet: {rate:6.0f} packets/s   {spec}")

    offered_s = np.arange(args.photo) / PACKETS_A_SECOND
    for spec in BROADCASTS:
        broadcast = partial(draw_fates, parse_channel(spec), args.receivers, offered_s, PACKET_BYTES, seed=0)
        print(f"{args.receivers} receivers, {args.photo} packets each: {processor_s(broadcast):.2f} s   {spec}")


if __name__ == "__main__":
    main()

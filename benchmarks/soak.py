"""An hour of photos through the proxy to a receiver that is restarted now and then: what is lost, what memory grows.

    python -m benchmarks.soak [--minutes 60] [--every 5] [--restart-every 240] [--channel vehicular] [--attacks]

A sender, as `python -m sender FOLDER --every 5s --deadline 2.5s`, sends small photos at 50 kbit/s through a simulated
link to a receiver; both run in processes of their own. From time to time the receiver is stopped with SIGTERM and
started again, and so it is whenever it ends by itself. A photo counts if the receiver listened for all of its time; its
base is shown if a picture with all of the base was there before the next photo began, or a second later. Memory is what
is resident, from 90 s after the start of a process (a sixth of a short run) to the most that it takes after that.

With `--attacks` the stream is sealed, and somebody without the key sees it pass, plays it again from elsewhere, old and
new, and sends claims, endless streams and counts of the largest size: `python -m benchmarks.soak --minutes 30 --attacks
--channel delay:50ms --restart-every 1e9` has to show every photo.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks._attacks import attacked
from benchmarks._processes import Child, Told, resident_bytes, start_receiver, start_sender
from channel_sim.proxy import Path as LinkPath
from channel_sim.proxy import Proxy
from channel_sim.spec import parse_channel
from progressive.photos import downscale, sample_photo, write_png
from progressive.registry import DEFAULT_CODEC
from progressive.transport.access import Access
from progressive.transport.keys import write_new_key
from progressive.transport.udp import UdpAddress
from receiver.run import ReceiverOptions
from receiver.settings import ReceiverSettings
from sender.options import SenderOptions
from sender.settings import SenderSettings

SAMPLES = ("astronaut", "coffee", "rocket")
PIXELS = 320 * 240
LOOK_S = 0.2
WARM_UP_S = 90.0
GRACE_S = 1.0
DEADLINE_SHARE = 0.5
"""Of the time from photo to photo: the rest is for encoding and for the last word of each."""

RECOVERY_S = 30.0
"""A restarted receiver that shows a picture within this time is there again."""


@dataclass(slots=True)
class Watched:
    """A process, what it told, and its resident memory over time, [seconds, bytes]."""

    child: Child
    began_s: float
    memory: list[tuple[float, int]] = field(default_factory=list)

    def look(self, now: float) -> None:
        self.memory.append((now, self.child.memory_bytes))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak came to.

    Fields:
        photos: sent.
        counted: those during all of which a receiver listened.
        shown: those of them whose base was shown.
        restarts: receivers that were stopped on purpose.
        ended: why receivers, or the sender, ended by themselves before their time.
        recoveries_s: from the start of each further receiver to its first picture; None if that did not come in time.
        growth_bytes: of memory, by process.
    """

    photos: int
    counted: int
    shown: int
    restarts: int
    ended: Sequence[str]
    recoveries_s: Sequence[float | None]
    growth_bytes: dict[str, int]


@dataclass(frozen=True, slots=True)
class Soak:
    """How to soak: seconds in all, from photo to photo, from restart to restart in the mean; the link; the seed."""

    duration_s: float
    every_s: float = 5.0
    restart_every_s: float = 240.0
    channel: str = "vehicular"
    codec: str = DEFAULT_CODEC
    seed: int = 0
    attacks: bool = False


def soak(plan: Soak) -> Outcome:
    """Runs it, for about as long as it says."""
    rng = random.Random(plan.seed)
    with tempfile.TemporaryDirectory(prefix="soak") as name, _free_port() as port:
        folder = Path(name)
        photos = _photos(folder / "photos", int(plan.duration_s / plan.every_s))
        access = Access()
        if plan.attacks:
            access = Access(key_file=folder / "key")
            write_new_key(folder / "key")
        address = UdpAddress("127.0.0.1", port)
        options = ReceiverOptions(str(address), ReceiverSettings(), folder / "out", device="cpu", access=access)
        with _proxy(port, plan) as link, _attacks(plan, link, address) as entrance:
            receivers = [Watched(start_receiver(options), time.monotonic())]
            _wait_until_listening(receivers[0].child)
            settings = SenderSettings(50e3, deadline_s=DEADLINE_SHARE * plan.every_s, sealed=plan.attacks)
            sender_options = SenderOptions(
                str(photos), plan.codec, settings, every_s=plan.every_s, to=(str(entrance),), access=access
            )
            sender = Watched(start_sender(sender_options), time.monotonic())
            try:
                restarts, own = _watch(plan, rng, sender, receivers, options)
            finally:
                sender.child.stop()
                for receiver in receivers:
                    receiver.child.stop()
    return _outcome(plan, sender, receivers, restarts, own)


def _watch(
    plan: Soak, rng: random.Random, sender: Watched, receivers: list[Watched], options: ReceiverOptions
) -> tuple[int, list[tuple[float, int]]]:
    """Restarts receivers until the sender is done; how many it stopped, and the memory of this process, the proxy's."""
    own: list[tuple[float, int]] = []
    restarts, tidied = 0, 0
    assert options.output is not None
    restart_at = time.monotonic() + rng.uniform(0.5, 1.5) * plan.restart_every_s
    while sender.child.alive:
        time.sleep(LOOK_S)
        now, current = time.monotonic(), receivers[-1]
        own.append((now, resident_bytes("self")))
        sender.look(now)
        current.look(now)
        tidied = _tidy(options.output, current.child.told, tidied)
        if now >= restart_at:
            restarts += 1
            restart_at = now + rng.uniform(0.5, 1.5) * plan.restart_every_s
            current.child.stop()
        if not current.child.alive and sender.child.alive:
            receivers.append(Watched(start_receiver(options), time.monotonic()))
            tidied = 0
    return restarts, own


def _outcome(
    plan: Soak, sender: Watched, receivers: Sequence[Watched], restarts: int, own: list[tuple[float, int]]
) -> Outcome:
    began = _times(sender.child.told, "photo")
    bases = [time_s for receiver in receivers for time_s in _times(receiver.child.told, "base")]
    present = [
        (listening[0], _times(receiver.child.told, "gone")[0])
        for receiver in receivers
        if (listening := _times(receiver.child.told, "listening"))
    ]
    spans = list(pairwise(began))
    counted = [(a, b) for a, b in spans if any(start <= a and b <= end for start, end in present)]
    shown = [(a, b) for a, b in counted if any(a <= base <= b + GRACE_S for base in bases)]
    end_s = sender.memory[-1][0]
    recoveries = [
        recovery_s
        for receiver in receivers[1:]
        if (recovery_s := _first_picture_s(receiver)) or receiver.began_s < end_s - RECOVERY_S
    ]
    failures = [each.says for watched in (sender, *receivers) for each in watched.child.told if each.kind == "failed"]
    warm_up_s = min(WARM_UP_S, plan.duration_s / 6)
    growth = {
        "sender": _growth(sender.memory, warm_up_s),
        "receivers": max(_growth(receiver.memory, warm_up_s) for receiver in receivers),
        "proxy": _growth(own, warm_up_s),
    }
    return Outcome(len(spans), len(counted), len(shown), restarts, failures, recoveries, growth)


def _times(told: Sequence[Told], *kinds: str) -> list[float]:
    return [each.time_s for each in told if each.kind in kinds]


def _first_picture_s(receiver: Watched) -> float | None:
    pictures = _times(receiver.child.told, "picture", "base")
    return pictures[0] - receiver.began_s if pictures else None


def _growth(memory: Sequence[tuple[float, int]], warm_up_s: float) -> int:
    warm = [size for time_s, size in memory if size and time_s >= memory[0][0] + warm_up_s]
    return max(warm) - warm[0] if warm else 0


def _photos(folder: Path, count: int) -> Path:
    """A folder of so many photos, a few samples in turn, shifted so that no two are equal."""
    folder.mkdir(parents=True)
    samples = [downscale(sample_photo(name), max_pixels=PIXELS) for name in SAMPLES]
    for number in range(max(2, count)):
        shifted = np.roll(samples[number % len(samples)], 7 * number, axis=1)
        write_png(folder / f"{number}.png", np.ascontiguousarray(shifted))
    return folder


def _tidy(output: Path, told: Sequence[Told], done: int) -> int:
    """Removes the folders of photos that are finished; returns how much of what was told is dealt with."""
    for each in told[done:]:
        if each.kind == "finished" and each.says != "photo 1":
            shutil.rmtree(output / f"photo_{int(each.says.removeprefix('photo ')):02d}")
    return len(told)


def _wait_until_listening(child: Child) -> None:
    while child.alive and not _times(child.told, "listening"):
        time.sleep(LOOK_S)


@contextmanager
def _free_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    yield port


@contextmanager
def _attacks(plan: Soak, link: UdpAddress, target: UdpAddress) -> Iterator[UdpAddress]:
    """Where the sender sends to: the link, or somebody hostile before it."""
    if not plan.attacks:
        yield link
        return
    with attacked(link, target, plan.seed) as (entrance, sent):
        yield entrance
    sys.stdout.write(f"{sent[0]} hostile datagrams\n")


@contextmanager
def _proxy(port: int, plan: Soak) -> Iterator[UdpAddress]:
    """The link to the receiver, in a thread of this process; yields where it takes datagrams."""
    link = parse_channel(plan.channel)
    proxy = Proxy([LinkPath.seeded(UdpAddress("127.0.0.1", port), link, link, plan.seed)])
    loop = asyncio.new_event_loop()
    entrance = loop.run_until_complete(proxy.listen(UdpAddress("127.0.0.1", 0)))
    thread = threading.Thread(target=loop.run_until_complete, args=(proxy.run(),))
    thread.start()
    try:
        yield entrance
    finally:
        loop.call_soon_threadsafe(proxy.close)
        thread.join()
        loop.close()


def in_words(outcome: Outcome) -> str:
    """The outcome, line by line."""
    share = outcome.shown / outcome.counted if outcome.counted else 0.0
    recovered = [seconds for seconds in outcome.recoveries_s if seconds is not None and seconds <= RECOVERY_S]
    lines = [
        f"{outcome.photos} photos, {outcome.counted} while a receiver listened all the time",
        f"base shown of {outcome.shown}: {100 * share:.2f} % (target: at least 99 %)",
        f"{outcome.restarts} restarts, {len(outcome.ended)} runs ended by themselves"
        + "".join(f"\n  {why}" for why in dict.fromkeys(outcome.ended)),
        f"{len(recovered)} of {len(outcome.recoveries_s)} receivers that followed had a picture within {RECOVERY_S:g} s"
        + (f", the slowest after {max(recovered):.1f} s" if recovered else ""),
        *(
            f"memory of the {name}: {size / 1e6:+.1f} MB (target: at most 50)"
            for name, size in outcome.growth_bytes.items()
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=float, default=5, help="seconds from photo to photo")
    parser.add_argument("--restart-every", type=float, default=240, help="seconds from restart to restart, in the mean")
    parser.add_argument("--channel", default="vehicular")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--attacks", action="store_true", help="a sealed stream beside somebody hostile")
    args = parser.parse_args()
    plan = Soak(args.minutes * 60, args.every, args.restart_every, args.channel, seed=args.seed, attacks=args.attacks)
    sys.stdout.write(f"{args.minutes:g} minutes, a photo every {args.every:g} s over {args.channel}\n")
    sys.stdout.write(in_words(soak(plan)) + "\n")


if __name__ == "__main__":
    main()

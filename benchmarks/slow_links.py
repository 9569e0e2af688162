"""What comes over slow links after how long: the first picture, and so many decibels beside the original.

    python -m benchmarks.slow_links [--photo PHOTO] [--links NAME ..] [--codec rmpgc]

Each link is simulated on a virtual clock with 5 % of the packets lost. LoRaWAN (EU868) sends without answers, at 1 % of
the time, one hour's share at once; "messages" are of 340 bytes, one every ten seconds, as over Iridium's short burst
data; the others answer. Prints a row of a table for each.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from channel_sim.link import Link, LinkSettings
from channel_sim.simulate import Route, simulate
from progressive.codec import Photo, ProgressiveCodec
from progressive.loss_model import LossModel
from progressive.metrics import psnr
from progressive.photos import read_photo, resized, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.units import format_bandwidth, format_time
from receiver.events import SegmentReceived
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.prepare import PreparedPhoto, prepare_photo
from sender.session import SenderSession
from sender.settings import SenderSettings

LOSSES = LossModel(0.05, 1.5)
TARGETS_DB = (24.0, 26.0, 28.0)
PICTURES = 24
"""Pictures that are made of a stream, at times that grow by the same factor: so fine is the time told."""


@dataclass(frozen=True, slots=True)
class SlowLink:
    """A link. Fields: its name; what the sender is told of it; how long a packet is under way, in seconds."""

    name: str
    settings: SenderSettings
    delay_s: float = 0.1


def lorawan(name: str, payload: int, rate_bps: float) -> SlowLink:
    settings = SenderSettings(
        rate_bps, packet_size=payload, deadline_s=3600, duty_cycle=0.01, feedback=False, expect=LOSSES
    )
    return SlowLink(name, settings)


def answering(name: str, payload: int, rate_bps: float, deadline_s: float) -> SlowLink:
    return SlowLink(name, SenderSettings(rate_bps, packet_size=payload, deadline_s=deadline_s, expect=LOSSES))


LINKS = (
    lorawan("DR0", 51, 250),
    lorawan("DR1", 51, 440),
    lorawan("DR2", 51, 980),
    lorawan("DR3", 115, 1760),
    lorawan("DR4", 222, 3125),
    lorawan("DR5", 222, 5470),
    SlowLink("messages", SenderSettings(272, packet_size=340, deadline_s=600, feedback=False, expect=LOSSES), 5.0),
    answering("1k", 120, 1000, 60),
    answering("2.4k", 200, 2400, 60),
    answering("5k", 222, 5000, 60),
    answering("10k", 500, 10_000, 60),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture. Fields: when it is there, in seconds; its PSNR at the size of the original, in dB."""

    time_s: float
    psnr: float


def arrivals(prepared: PreparedPhoto, link: SlowLink, seed: int) -> list[tuple[float, int, bytes]]:
    """When each segment is there: (seconds, id, payload)."""
    settings = link.settings
    sender = SenderSession(prepared.packed, settings, stream_id=1, now=0.0)
    receiver = ReceiverSession(ReceiverSettings(silence_s=300), now=0.0)
    found: list[tuple[float, int, bytes]] = []

    def take(now: float, _session: object, event: object) -> None:
        if isinstance(event, SegmentReceived):
            found.append((now, event.segment_id, event.payload))

    way = LinkSettings(loss=LOSSES, rate_bps=settings.bandwidth_bps, delay_s=link.delay_s)
    routes = [Route(sender, Link(way, seed=seed), receiver), Route(receiver, Link(way, seed=seed + 1), sender)]
    simulate(routes, start_s=0.0, on_event=take, limit_s=settings.deadline_s + 600)
    return found


def pictures(
    photo: Photo, codec: ProgressiveCodec, prepared: PreparedPhoto, found: list[tuple[float, int, bytes]]
) -> list[Shown]:
    """The first picture, and others until the last."""
    decoder = codec.decoder(prepared.stream.header, device="cpu")
    first_s, last_s = found[0][0], found[-1][0]
    shown: list[Shown] = []
    taken = 0
    for step in range(PICTURES):
        until_s = first_s * (last_s / first_s) ** (step / (PICTURES - 1)) + 1e-9
        due = [(i, payload) for time_s, i, payload in found[taken:] if time_s <= until_s]
        taken += len(due)
        if due and decoder.push_all(due).changed:
            shown.append(Shown(found[taken - 1][0], psnr(resized(decoder.picture(), photo.shape), photo)))
    return shown


def row(link: SlowLink, photo: Photo, codec: ProgressiveCodec, seed: int) -> str:
    settings = link.settings
    begun_s = time.perf_counter()
    prepared = prepare_photo("photo", photo, codec, settings, full_size=False)
    took_s = time.perf_counter() - begun_s
    shown = pictures(photo, codec, prepared, arrivals(prepared, link, seed))

    def after(decibels: float) -> str:
        times = [picture.time_s for picture in shown if picture.psnr >= decibels]
        return format_time(times[0], digits=2) if times else "-"

    height, width = prepared.photo.shape[:2]
    share = "" if settings.duty_cycle is None else f", {settings.duty_cycle:.0%}"
    cells = [
        link.name,
        f"{settings.packet_size} B",
        f"{format_bandwidth(settings.bandwidth_bps)}{share}",
        f"{width}x{height}",
        f"{format_time(shown[0].time_s, digits=2)}, {shown[0].psnr:.1f} dB",
        *(after(target) for target in TARGETS_DB),
        f"{shown[-1].psnr:.1f} dB after {format_time(shown[-1].time_s, digits=2)}",
        f"{took_s:.1f} s",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="a sample photo if left out")
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--links", nargs="+", choices=[link.name for link in LINKS], help="all if left out")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    photo = sample_photo() if arguments.photo is None else read_photo(arguments.photo)
    codec = load_codec(arguments.codec)
    targets = " | ".join(f"{target:.0f} dB" for target in TARGETS_DB)
    print(f"| link | packet | rate | coded at | first picture | {targets} | last | prepared in |")
    print("|-|" + "-|" * (6 + len(TARGETS_DB)))
    for link in LINKS:
        if arguments.links is None or link.name in arguments.links:
            print(row(link, photo, codec, arguments.seed), flush=True)


if __name__ == "__main__":
    main()

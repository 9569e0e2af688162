"""Whether a receiver keeps up with a link: how long after its last byte the last picture is shown.

    python -m benchmarks.keeping_up [PHOTO ...] [--codec NAME] [--rates 50kbps,500kbps] [--bpp 0.5] [--repeat 3]

Segments come in the sender's order, each as soon as the link has carried its payload and a packet's header, in real
time. They go to the receiver's own refinement loop, which makes one picture of all that came since the last one was
begun. Nothing is written or measured meanwhile, and no sender shares the processor. The codec is loaded before, as by a
receiver that waits; the first stream of each rate is shown apart, as it finds no kernel made. Without PHOTO a sample of
scikit-image is resized to 768x512.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _data
from benchmarks.speed import photo_to_code, use_cores
from progressive.codec import Photo, ProgressiveCodec
from progressive.errors import UsageError
from progressive.output.refinement import Refinement
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.runtime.background import Background
from progressive.stream import LayeredStream, Segment
from progressive.units import parse_bandwidth
from receiver.folders import folders_for
from receiver.refinement import RefinementLoop, Refiner

HEADER_BYTES = 24
"""Of a packet, which carries one segment here."""


@dataclass(frozen=True, slots=True)
class Reception:
    """One stream. Fields: its bytes, when the last came, when each picture was shown, in seconds from its start."""

    size: int
    came_s: float
    shown_s: list[float]

    @property
    def late_s(self) -> float:
        return self.shown_s[-1] - self.came_s


async def receive(
    codec: ProgressiveCodec, stream: LayeredStream, segments: list[Segment], rate_bps: float
) -> Reception:
    clock = asyncio.get_running_loop().time
    started_s, size, pictures = clock(), 0, list[Refinement]()
    folder = folders_for(None, stays=False, keep=None).new()
    refiner = Refiner(codec.decoder(stream.header), folder, lambda: clock() - started_s)
    with Background() as worker:
        loop = RefinementLoop(refiner, worker, pictures.append)
        for segment in segments:
            size += len(segment.payload) + HEADER_BYTES
            await asyncio.sleep(started_s + 8 * size / rate_bps - clock())
            loop.push((segment.id, segment.payload), size)
        await loop.drain()
    return Reception(size, 8 * size / rate_bps, [picture.time_s for picture in pictures])


def within(stream: LayeredStream, limit: float) -> list[Segment]:
    """The first segments of a stream that fit so many bytes."""
    sizes = np.cumsum([len(segment.payload) for segment in stream.segments])
    return list(stream.segments[: int(np.searchsorted(sizes, limit, side="right"))])


def report(codec: ProgressiveCodec, name: str, photo: Photo, rates: list[float], bpp: float, repeat: int) -> None:
    stream = codec.encode(photo)
    segments = within(stream, bpp * photo.shape[0] * photo.shape[1] / 8)
    for rate_bps in rates:
        first, *others = [asyncio.run(receive(codec, stream, segments, rate_bps)) for _ in range(1 + repeat)]
        late = sorted(r.late_s for r in others)
        pictures = int(np.median([len(r.shown_s) for r in others]))
        print(
            f"{name:16} {rate_bps / 1e3:6.0f} {first.size:8} {first.came_s:8.2f} {late[len(late) // 2]:+13.2f}"
            f" {late[-1]:+7.2f} {first.late_s:+9.2f} {pictures:9} {others[0].shown_s[0]:9.2f}",
            flush=True,
        )


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="*", help="default: a sample")
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--rates", default="50kbps,100kbps,200kbps,500kbps")
    parser.add_argument("--bpp", type=float, default=0.5, help="that are sent, at most")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.repeat < 1 or args.threads < 1:
        raise UsageError("--repeat and --threads must be 1 or more")
    rates = [parse_bandwidth(rate) for rate in args.rates.split(",")]
    codec = load_codec(args.codec)
    photos = {path.stem: photo_to_code(path) for path in args.photos} or {"sample": photo_to_code(None)}
    use_cores(args.threads)
    heads = f"{'come in':>8} {'last picture':>13} {'worst':>7} {'unwarmed':>9} {'pictures':>9} {'first at':>9}"
    print(f"{'':16} {'kbit/s':>6} {'bytes':>8} {heads}, seconds")
    for name, photo in photos.items():
        report(codec, name, photo, rates, args.bpp, args.repeat)


if __name__ == "__main__":
    _data.run(benchmark)

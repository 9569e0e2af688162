"""Speed of a codec on two cores beside JPEG XL and AVIF in the same run, for a photo of 768x512.

    python -m benchmarks.speed [PHOTO] [--codec NAME] [--threads 2] [--device cpu] [--repeat 9] [--json FILE]

Without PHOTO a sample of scikit-image is resized. Encode: photo to segments. First picture: the last segment of the
base is pushed and the picture made. Refinement: one more segment is pushed and the picture made, for each segment
of the enhance layers. Decode whole: a file's bytes to its final picture. Entropy coding is the time inside
`progressive.exact.coders`. The peers have as many threads and code the photo at the highest quality whose file is
within `--bpp`. Each figure is the median of its repetitions after a warm-up, the 90th percentile behind it; memory is
what a call takes at most on top of what is held before it.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _data
from benchmarks._clocks import Cost, cost_of
from progressive.codec import Photo, ProgressiveCodec, ProgressiveDecoder
from progressive.container import file_size, read_stream, stream_to_bytes
from progressive.errors import UsageError
from progressive.evaluation.peers import check_peer
from progressive.files import check_writable, write_atomically
from progressive.photos import read_photo, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream, Segment, StreamHeader

WIDTH, HEIGHT = 768, 512

TARGETS = {
    "encode": "150 ms, aim 60",
    "first picture": "150 ms, aim 60",
    "refinement": "100 ms, aim 40, on a GPU 10; entropy coding 10 %, aim 5",
}
"""At most, for our codec."""

QUALITIES = range(1, 96)

PEER_SETTINGS: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "jxl": ("JXL", "effort", (3, 7, 9)),
    "avif": ("AVIF", "speed", (4, 6, 10)),
}
"""Pillow's name of the format, what trades speed for size there, and its values."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one kind of call takes; `bytes` are those of the file made or shown, None where each call shows another."""

    system: str
    call: str
    bytes: int | None
    cost: Cost


def codec_rows(codec: ProgressiveCodec, photo: Photo, device: str, repeat: int) -> Iterator[Row]:
    stream = codec.encode(photo)
    file, base = stream_to_bytes(stream), [segment for segment in stream.segments if segment.layer == 0]
    if len(stream.segments) - len(base) < 3:
        raise UsageError("the stream has fewer than three refinements: take a larger photo")

    def decode_file() -> Photo:
        contents = read_stream(file)
        decoder = codec.decoder(contents.header, device=device)
        decoder.push_all(contents.segments)
        return decoder.picture()

    yield Row(codec.name, "encode", len(file), cost_of([lambda: codec.encode(photo)] * repeat))
    first_pictures = cost_of(first_picture_calls(codec, stream.header, base, device, repeat))
    yield Row(codec.name, "first picture", file_size(stream.keep(base)), first_pictures)
    yield Row(codec.name, "refinement", None, cost_of(refinement_calls(codec, stream, device)))
    yield Row(codec.name, "decode whole", len(file), cost_of([decode_file] * repeat))


def first_picture_calls(
    codec: ProgressiveCodec, header: StreamHeader, base: Sequence[Segment], device: str, repeat: int
) -> Iterator[Callable[[], Photo]]:
    """Each has a decoder of its own, which was given all but the last segment of the base."""
    for _ in range(repeat):
        decoder = codec.decoder(header, device=device)
        for segment in base[:-1]:
            decoder.push(segment.id, segment.payload)
        yield partial(push_and_show, decoder, base[-1])


def refinement_calls(codec: ProgressiveCodec, stream: LayeredStream, device: str) -> Iterator[Callable[[], Photo]]:
    """Each shows one more segment of the enhance layers, in the sender's order."""
    decoder = codec.decoder(stream.header, device=device)
    for segment in sorted(stream.segments, key=lambda segment: segment.layer > 0):
        if segment.layer == 0:
            decoder.push(segment.id, segment.payload)
        else:
            yield partial(push_and_show, decoder, segment)


def push_and_show(decoder: ProgressiveDecoder, segment: Segment) -> Photo:
    decoder.push(segment.id, segment.payload)
    return decoder.picture()


def peer_rows(peer: str, photo: Photo, size_bytes: int, repeat: int) -> Iterator[Row]:
    """Encoder and decoder of a format at each of its settings, at the highest quality of at most this size."""
    check_peer(peer)
    file_format, knob, values = PEER_SETTINGS[peer]
    image = Image.fromarray(photo)

    def encode(quality: int, value: int) -> bytes:
        file = io.BytesIO()
        image.save(file, file_format, **{"quality": quality, knob: value})
        return file.getvalue()

    def decode(file: bytes) -> Photo:
        with Image.open(io.BytesIO(file)) as coded:
            return np.asarray(coded.convert("RGB"))

    for value in values:
        fitting = bisect_right(QUALITIES, size_bytes, key=lambda quality: len(encode(quality, value)))
        quality = QUALITIES[max(0, fitting - 1)]
        file, name = encode(quality, value), f"{peer} {knob} {value}"
        yield Row(name, "encode", len(file), cost_of([partial(encode, quality, value)] * repeat))
        yield Row(name, "decode whole", len(file), cost_of([partial(decode, file)] * repeat))


def print_table(rows: Sequence[Row], ours: str) -> None:
    """`times ours` is how often our own call of the same kind fits."""
    medians = {row.call: row.cost.median_ms for row in rows if row.system == ours}
    heads = (f"{'ms':>8} {'90 %':>8} {'times ours':>11} {'entropy coding':>15} {'memory MB':>10}", "target")
    print(f"{'':20} {'':14} {'bytes':>7} {heads[0]}  {heads[1]}")
    for row in rows:
        own, cost = row.system == ours, row.cost
        size = "" if row.bytes is None else str(row.bytes)
        ratio = "" if own else f"{cost.median_ms / medians[row.call]:.2f}"
        share = f"{cost.entropy_share:.1%}" if own else ""
        memory = "" if cost.memory_mb is None else f"{cost.memory_mb:.0f}"
        print(
            f"{row.system:20} {row.call:14} {size:>7} {cost.median_ms:8.1f} {cost.late_ms:8.1f} {ratio:>11} {share:>15}"
            f" {memory:>10}  {TARGETS.get(row.call, '') if own else ''}".rstrip()
        )


def use_cores(count: int) -> None:
    """As many threads for us and the peers; where the system can, this process is held on as many cores."""
    import torch

    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    torch.set_num_threads(count)


def photo_to_code(path: Path | None) -> Photo:
    if path is not None:
        return read_photo(path)
    return np.asarray(Image.fromarray(sample_photo("coffee")).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS))


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photo", type=Path, nargs="?", help=f"default: a sample resized to {WIDTH}x{HEIGHT}")
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="that makes the pictures, such as cuda")
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--bpp", type=float, default=1.0, help="size of the peers' files")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the table for programs")
    args = parser.parse_args()
    if args.repeat < 1 or args.threads < 1:
        raise UsageError("--repeat and --threads must be 1 or more")

    codec, photo = load_codec(args.codec), photo_to_code(args.photo)
    if args.json:
        check_writable(args.json)
    use_cores(args.threads)
    height, width = photo.shape[:2]
    # The first call of each kind only warms up, and the last only tells the memory.
    repeat = args.repeat + 2
    rows = list(codec_rows(codec, photo, args.device, repeat))
    for peer in PEER_SETTINGS:
        try:
            rows += peer_rows(peer, photo, int(args.bpp * height * width / 8), repeat)
        except UsageError as error:
            print(f"not measured: {error}")
    print(f"{width}x{height}, {args.threads} threads, pictures on {args.device}, median of {args.repeat}")
    print_table(rows, codec.name)
    if args.json:
        record = {"settings": {k: str(v) for k, v in vars(args).items()}, "rows": [asdict(row) for row in rows]}
        write_atomically(args.json, json.dumps(record, indent=1).encode())


if __name__ == "__main__":
    _data.run(benchmark)

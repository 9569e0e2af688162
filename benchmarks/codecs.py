"""All codecs side by side: the table of the page "Which codec when".

    python -m benchmarks.codecs [FOLDER] [--limit N] [--rates 0.1,0.25,0.5] [--repeat 5]

PSNR and MS-SSIM of whole files within each rate, means over the photos: one stream that is cut, or a stream for each
rate where a codec makes such ones (`one_rate`). The bytes until the base is complete, median over the photos. Encode
and decode are the median times of the first photo's stream within the highest rate, on one core; all codecs run one
after the other in the same process. A dash stands for a rate that some photo does not reach.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import _data
from benchmarks._clocks import cost_of
from progressive.codec import Photo, ProgressiveCodec, encode_for
from progressive.coded_file import coded_within
from progressive.container import file_size
from progressive.evaluation.curves import Curve, byte_limit, curve
from progressive.evaluation.meter import Meter
from progressive.evaluation.streams import rated_points, stream_points
from progressive.photos import find_photos, read_photo
from progressive.registry import CODECS, DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream

MAX_PAYLOAD = 1000


@dataclass(frozen=True)
class Row:
    """A codec.

    Fields:
        name: in the registry.
        quality: mean PSNR in dB and MS-SSIM at each rate; None where some photo does not reach it.
        base_bytes: until the base is complete.
        encode_ms, decode_ms: of one photo.
    """

    name: str
    quality: tuple[tuple[float, float] | None, ...]
    base_bytes: int
    encode_ms: float
    decode_ms: float


def row_of(name: str, photos: Sequence[Photo], rates: Sequence[float], repeat: int) -> Row:
    """Measures a codec."""
    codec, curves, bases = load_codec(name), [], []
    for number, photo in enumerate(photos):
        meter = Meter(photo)
        stream = encode_for(codec, photo, byte_limit(max(rates), meter.pixels), max_payload=MAX_PAYLOAD)
        if codec.traits.one_rate:
            points = rated_points(codec, meter, rates, max_payload=MAX_PAYLOAD, context=None)
        else:
            points = stream_points(codec, stream, meter, rates)
        curves.append(curve(name, str(number), meter.pixels, points, one_stream=not codec.traits.one_rate))
        bases.append(file_size(stream.keep(segment for segment in stream.segments if segment.layer == 0)))
    limit = byte_limit(max(rates), photos[0][..., 0].size)
    encode = cost_of([lambda: encode_for(codec, photos[0], limit, max_payload=MAX_PAYLOAD)] * (repeat + 2))
    sent = coded_within(codec, photos[0], limit)
    decode = cost_of([lambda: decoded(codec, sent)] * (repeat + 2))
    quality = tuple(_mean_within(curves, bpp) for bpp in rates)
    return Row(name, quality, int(np.median(bases)), encode.median_ms, decode.median_ms)


def decoded(codec: ProgressiveCodec, stream: LayeredStream) -> Photo:
    """All segments of a stream at once."""
    decoder = codec.decoder(stream.header)
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
    return decoder.picture()


def in_markdown(rows: Iterable[Row], rates: Sequence[float]) -> str:
    """The table, the default codec first."""
    head = ["codec", *(f"{bpp:g} bpp" for bpp in rates), "base, bytes", "encode, ms", "decode, ms"]
    lines = [" | ".join(head), "|".join("-" * len(head))]
    for row in sorted(rows, key=lambda row: (row.name != DEFAULT_CODEC, row.name)):
        cells = [f"{both[0]:.2f} {both[1]:.4f}" if both else "-" for both in row.quality]
        figures = (f"{n:.0f}" for n in (row.base_bytes, row.encode_ms, row.decode_ms))
        lines.append(" | ".join([f"`{row.name}`", *cells, *figures]))
    return "\n".join(f"| {line} |" if "-|-" not in line else f"|{line}|" for line in lines)


def _mean_within(curves: Sequence[Curve], bpp: float) -> tuple[float, float] | None:
    found = [one.best_within(bpp) for one in curves]
    points = [point for point in found if point is not None]
    if len(points) < len(curves):
        return None
    similar = [np.nan if point.ms_ssim is None else point.ms_ssim for point in points]
    return float(np.mean([point.psnr for point in points])), float(np.mean(similar))


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--rates", default="0.1,0.25,0.5", metavar="LIST", help="bits a pixel")
    parser.add_argument("--repeat", type=int, default=5, metavar="N")
    parser.add_argument("--codec", action="append", metavar="NAME", help="may be given more than once; all without")
    args = parser.parse_args()

    rates = [float(part) for part in args.rates.split(",")]
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    photos = [read_photo(paths[len(paths) * i // count]) for i in range(count)]
    rows = [row_of(name, photos, rates, args.repeat) for name in args.codec or sorted(CODECS)]
    print(f"{count} photos; PSNR in dB and MS-SSIM\n\n{in_markdown(rows, rates)}")


if __name__ == "__main__":
    _data.run(benchmark)

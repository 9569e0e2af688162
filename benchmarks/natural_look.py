"""Both looks of the same bytes, side by side.

    python -m benchmarks.natural_look [FOLDER] [--limit N] [--rates 0.05,0.1,0.2] [--pictures DIR]

PSNR, MS-SSIM and the LPIPS-style distance of the default codec's stream cut at each rate;
whole files. Where the folder has labels, top-1 and the probability of the true class too. Means over photos, and the
differences, natural minus faithful, with 95 % intervals of the bootstrap. `--pictures` writes each photo beside both
looks at each rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from benchmarks._clocks import cost_of
from progressive.codec import FAITHFUL, Photo, ProgressiveCodec, ProgressiveDecoder
from progressive.container import cut
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import byte_limit
from progressive.evaluation.meter import Meter, load_judges
from progressive.files import write_atomically
from progressive.looks import NATURAL, picture_in, prepared_look
from progressive.metrics.recognition import LABELS_FILE, read_labels
from progressive.photos import find_photos, png_bytes, read_photo
from progressive.registry import DEFAULT_CODEC, load_codec

LOOKS = (FAITHFUL, NATURAL)
MEASURES = ("PSNR", "MS-SSIM", "LPIPS-style", "top-1", "true class")

Numbers = NDArray[np.float64]


def measured(codec: ProgressiveCodec, meter: Meter, rates: Sequence[float], pictures: Path | None = None) -> Numbers:
    """A photo in both looks at each rate, [rates, looks, measures]; what is not known is not a number.

    Writes the photo and what is shown of it into a file if one is given, a row for each rate.
    """
    found = np.full((len(rates), len(LOOKS), len(MEASURES)), np.nan)
    stream, rows = codec.encode(meter.original), []
    for rate, bpp in enumerate(rates):
        kept = cut(stream, byte_limit(bpp, meter.pixels))
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in kept.segments)
        row = [meter.original]
        for number, look in enumerate(LOOKS):
            picture = picture_in(decoder, look)
            point = meter(picture, 0)
            values = (point.psnr, point.ms_ssim, point.lpips, point.top1, point.probability)
            found[rate, number, : len(values)] = [np.nan if value is None else value for value in values]
            row.append(picture)
        rows.append(np.concatenate(row, 1))
    if pictures is not None:
        write_atomically(pictures, png_bytes(np.concatenate(rows)))
    return found


def time_of(codec: ProgressiveCodec, photo: Photo, look: str, repeat: int) -> float:
    """How long the picture of a whole stream takes once all is decoded, in milliseconds: the median, on one core."""
    stream = codec.encode(photo)

    def decoded() -> ProgressiveDecoder:
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
        return decoder

    return cost_of(partial(picture_in, decoded(), look) for _ in range(repeat)).median_ms


def print_table(found: Sequence[Numbers], rates: Sequence[float]) -> None:
    """Means of both looks, and what the natural one changes."""
    values = np.array(found)
    for number, measure in enumerate(MEASURES):
        if np.isnan(values[..., number]).all():
            continue
        print(f"\n{measure}: faithful, natural, difference")
        for rate, bpp in enumerate(rates):
            faithful, natural = values[:, rate, 0, number], values[:, rate, 1, number]
            known = ~np.isnan(faithful + natural)
            change = estimate((natural - faithful)[known])
            means = f"{faithful[known].mean():10.4f}{natural[known].mean():10.4f}"
            print(f"{bpp:10.3f} bpp{means}  {change.in_words('+.4f')}")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--rates", default="0.05,0.1,0.2", metavar="BPP,BPP")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--pictures", type=Path, metavar="DIR")
    args = parser.parse_args()

    codec = load_codec(DEFAULT_CODEC)
    prepared_look(codec, NATURAL)
    folder = _data.checked_folder(args.photos or args.data / "kodak")
    labels = {p.path: p.label for p in read_labels(folder)} if (folder / LABELS_FILE).is_file() else {}
    judges = load_judges(None, None, recognise=bool(labels))
    paths = sorted(labels) if labels else find_photos(str(folder))
    count = min(args.limit or len(paths), len(paths))
    meters = [
        Meter(read_photo(path), judges, labels.get(path))
        for path in (paths[len(paths) * i // count] for i in range(count))
    ]
    rates = [float(rate) for rate in args.rates.split(",")]
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    found = [
        measured(codec, meter, rates, args.pictures and args.pictures / f"{number:02}.png")
        for number, meter in enumerate(meters)
    ]
    print(f"{count} photos, {judges.perceptual_name}")
    print_table(found, rates)
    times = (f"{look} {time_of(codec, meters[0].original, look, args.repeat):.0f} ms" for look in LOOKS)
    print(f"\na picture: {', '.join(times)}")


if __name__ == "__main__":
    _data.run(benchmark)

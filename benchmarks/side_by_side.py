"""Pictures of rmpgc and other formats side by side, at equal bytes: a part of a photo at several rates, as one PNG.

    python -m benchmarks.side_by_side [PHOTO] [--sample NAME] [--crop X,Y,WIDTH,HEIGHT] [--rates 0.05,0.1,0.25,0.5]
        [--against avif,jpeg2000,webp,jpeg] [--output FILE.png]

Every picture is of a whole file of at most so many bits a pixel, the peers' at their best settings for that size, ours
cut from one stream. PSNR is that of the whole photo. A dash stands where a format has no file that small. Without PHOTO
a sample of scikit-image is taken, which no weights were trained on.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import _data
from progressive.codec import FAITHFUL, Photo, ProgressiveCodec
from progressive.container import cut, file_size
from progressive.errors import UsageError
from progressive.evaluation.curves import byte_limit
from progressive.evaluation.peers import PEERS, check_peer
from progressive.figures import figure_png
from progressive.files import write_atomically
from progressive.looks import picture_in
from progressive.metrics import psnr
from progressive.photos import read_photo, sample_photo
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.stream import LayeredStream

NATURAL = "natural"


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture of a file of so many bytes."""

    picture: Photo
    size: int


Crop = tuple[slice, slice]
"""Rows and columns of a part of a photo."""

Column = list[Shown | None]
"""A picture for each rate; None where there is no file that small."""


def of_stream(codec: ProgressiveCodec, stream: LayeredStream, limits: Sequence[int], look: str) -> Column:
    found: Column = []
    for limit in limits:
        kept = cut(stream, limit)
        decoder = codec.decoder(kept.header)
        decoder.push_all((segment.id, segment.payload) for segment in kept.segments)
        whole = decoder.status.base_complete and file_size(kept) <= limit
        found.append(Shown(picture_in(decoder, look), file_size(kept)) if whole else None)
    return found


def of_peer(name: str, photo: Photo, limits: Sequence[int]) -> Column:
    check_peer(name)
    files = list(PEERS[name].files(photo, limits))

    def largest(limit: int) -> Shown | None:
        fitting = [file for file in files if file.size <= limit]
        best = max(fitting, key=lambda file: file.size, default=None)
        return None if best is None else Shown(best.decode(), best.size)

    return [largest(limit) for limit in limits]


def columns(photo: Photo, limits: Sequence[int], peers: Sequence[str]) -> Iterator[tuple[str, Column]]:
    codec = load_codec(DEFAULT_CODEC)
    stream = codec.encode(photo)
    yield codec.name, of_stream(codec, stream, limits, FAITHFUL)
    yield f"{codec.name}, natural look", of_stream(codec, stream, limits, NATURAL)
    for peer in peers:
        yield peer, of_peer(peer, photo, limits)


def drawn(
    photo: Photo, rates: Sequence[float], table: Sequence[tuple[str, Column]], crop: tuple[slice, slice]
) -> bytes:
    """A row for each rate, a column for the photo and for each format."""
    from matplotlib.figure import Figure

    height, width = photo[crop].shape[:2]
    across, side = 1 + len(table), 2.2
    figure = Figure(figsize=(side * across, (side * height / width + 0.42) * len(rates)), layout="constrained")
    grid = figure.subplots(len(rates), across, squeeze=False)
    for row, (rate, axes) in enumerate(zip(rates, grid, strict=True)):
        pictures: list[tuple[str, str, Photo | None]] = [("photo", f"{rate:g} bpp", photo)]
        for name, column in table:
            shown = column[row]
            label = "-" if shown is None else f"{psnr(shown.picture, photo):.1f} dB, {shown.size} B"
            pictures.append((name, label, None if shown is None else shown.picture))
        for panel, (name, label, picture) in zip(axes, pictures, strict=True):
            panel.set_axis_off()
            panel.set_title(f"{name}\n{label}" if row == 0 else label, fontsize=8)
            panel.imshow(np.full((height, width, 3), 255, np.uint8) if picture is None else picture[crop])
    return figure_png(figure, dpi=100)


def crop_of(text: str | None, photo: Photo) -> Crop:
    """`X,Y,WIDTH,HEIGHT` as slices; a third of the photo in its middle without."""
    height, width = photo.shape[:2]
    try:
        x, y, w, h = (width // 3, height // 3, width // 3, height // 3) if text is None else map(int, text.split(","))
    except ValueError:
        raise UsageError(f"{text!r} is no part of a photo: use --crop X,Y,WIDTH,HEIGHT") from None
    if min(x, y) < 0 or min(w, h) < 1 or x + w > width or y + h > height:
        raise UsageError(f"--crop {text} is not inside the photo of {width}x{height}")
    return slice(y, y + h), slice(x, x + w)


def small_png(png: bytes) -> bytes:
    """With 256 colours, which suffice to look at."""
    small = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.MEDIANCUT).save(small, "PNG", optimize=True)
    return small.getvalue()


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photo", type=Path, nargs="?")
    parser.add_argument("--sample", default="coffee", help="of scikit-image, without a photo")
    parser.add_argument("--crop", metavar="X,Y,WIDTH,HEIGHT")
    parser.add_argument("--rates", default="0.05,0.1,0.25,0.5", help="bits a pixel")
    parser.add_argument("--against", default="avif,jpeg2000,webp,jpeg")
    parser.add_argument("--output", type=Path, default=Path("side_by_side.png"))
    args = parser.parse_args()
    photo = sample_photo(args.sample) if args.photo is None else read_photo(args.photo)
    crop = crop_of(args.crop, photo)
    rates = [float(rate) for rate in args.rates.split(",")]
    limits = [byte_limit(rate, photo.shape[0] * photo.shape[1]) for rate in rates]
    table = list(columns(photo, limits, args.against.split(",")))
    write_atomically(args.output, small_png(drawn(photo, rates, table, crop)))
    print(args.output)


if __name__ == "__main__":
    _data.run(benchmark)

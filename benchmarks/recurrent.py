"""What each iteration of the recurrent codec brings, and what sharing them out by importance does.

    python -m benchmarks.recurrent [FOLDER] [--limit N] [--weights FILE] [--pictures DIR]

First PSNR and MS-SSIM after each iteration of all cells, and bits a pixel, in whole files. Then, at equal bytes,
SI-SSIM (Wang et al. 2019, Eq. 13), MS-SSIM, and PSNR of the most important quarter of the cells, with the iterations
shared out by Algorithm 1 (`classify`) beside the same iterations for all (`reconstruct`): means of differences over
photos, with 95 % intervals of the bootstrap. `--pictures` writes the most important part of each photo, as it is and
by both orders.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.recurrent.codec import Recurrent
from progressive.codecs.recurrent.layout import CELL, ITERATIONS
from progressive.codecs.recurrent.model import WEIGHTS, Model
from progressive.container import cut, file_size
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import byte_limit
from progressive.files import write_atomically
from progressive.metrics import ms_ssim, psnr
from progressive.metrics.semantic import si_ssim
from progressive.photos import find_photos, png_bytes, read_photo
from progressive.semantics.grids import block_average
from progressive.semantics.sources import importance_map
from progressive.stream import LayeredStream, Segment

RATES = (0.125, 0.25, 0.5, 0.75, 1.0)
"""Bits a pixel at which both orders are compared."""

SHOWN_AT = 0.25
SHOWN_SIDE = 192
"""Rate, and side in pixels of the part, of the pictures that are written."""

IMPORTANT_SHARE = 0.25

MEASURES = ("SI-SSIM", "MS-SSIM", "PSNR of what matters")
ORDERS = ("reconstruct", "classify")

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """A photo. Fields: bpp, PSNR, MS-SSIM of each iteration, [ITERATIONS, 3]; the measures, [orders, rates, 3]."""

    iterations: Numbers
    shared: Numbers


def measured(codec: Recurrent, photo: Photo, part: Path | None = None) -> Measured:
    """Codes a photo once and measures both orders; writes the part that matters most if a file is given."""
    analysed, importance = codec.analyse(photo), importance_map(photo)
    streams = {order: codec.rank(analysed, context=order) for order in ORDERS}
    uniform = streams["reconstruct"]
    iterations = [
        [8 * file_size(uniform.keep(kept)) / photo[..., 0].size, psnr(shown, photo), ms_ssim(shown, photo) or np.nan]
        for kept, shown in by_iteration(codec, uniform)
    ]
    weight = block_average(importance, CELL)
    matters = (weight >= np.quantile(weight, 1 - IMPORTANT_SHARE)).repeat(CELL, 0).repeat(CELL, 1)
    matters = matters[: photo.shape[0], : photo.shape[1]]
    shared = np.zeros((len(ORDERS), len(RATES), len(MEASURES)))
    parts = [photo]
    for number, order in enumerate(ORDERS):
        for rate, bpp in enumerate(RATES):
            shown = decoded(codec, cut(streams[order], byte_limit(bpp, photo[..., 0].size)))
            values = (
                si_ssim(shown, photo, importance),
                ms_ssim(shown, photo),
                psnr(shown[matters][:, None], photo[matters][:, None]),
            )
            shared[number, rate] = [np.nan if value is None else value for value in values]
            if bpp == SHOWN_AT:
                parts.append(shown)
    if part is not None:
        place = most_important(importance)
        write_atomically(part, png_bytes(np.concatenate([part[place] for part in parts], 1)))
    return Measured(np.array(iterations), shared)


def by_iteration(codec: Recurrent, stream: LayeredStream) -> Iterator[tuple[Sequence[Segment], Photo]]:
    """The segments of the first iteration, of the first two, and so on, and what they show."""
    decoder = codec.decoder(stream.header)
    for iteration in range(ITERATIONS):
        decoder.push_all((s.id, s.payload) for s in stream.segments if s.layer == iteration)
        yield [segment for segment in stream.segments if segment.layer <= iteration], decoder.picture()


def decoded(codec: Recurrent, stream: LayeredStream) -> Photo:
    decoder = codec.decoder(stream.header)
    decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
    return decoder.picture()


def most_important(importance: NDArray[np.floating]) -> tuple[slice, slice]:
    """The square of `SHOWN_SIDE` pixels around the middle of what matters, inside the photo."""
    places = []
    for axis in (0, 1):
        profile = importance.sum(1 - axis) ** 2 + 1e-9
        middle = int((profile * np.arange(len(profile))).sum() / profile.sum())
        first = min(max(0, middle - SHOWN_SIDE // 2), max(0, len(profile) - SHOWN_SIDE))
        places.append(slice(first, first + SHOWN_SIDE))
    return places[0], places[1]


def print_iterations(found: Sequence[Measured]) -> None:
    """Means over photos."""
    print(f"{'iterations':>10}{'raw bpp':>10}{'bpp':>10}{'PSNR':>10}{'MS-SSIM':>10}")
    for number, (bpp, quality, similarity) in enumerate(np.mean([m.iterations for m in found], 0), 1):
        print(f"{number:10}{number / 8:10.3f}{bpp:10.4f}{quality:10.2f}{similarity:10.4f}")


def print_shared(found: Sequence[Measured]) -> None:
    """Both orders, and what Algorithm 1 gains."""
    values = np.array([m.shared for m in found])
    for number, measure in enumerate(MEASURES):
        print(f"\n{measure}: the same for all, by importance, difference")
        for rate, bpp in enumerate(RATES):
            uniform, shared = values[:, 0, rate, number], values[:, 1, rate, number]
            gain = estimate(shared - uniform)
            means = f"{uniform.mean():10.4f}{shared.mean():10.4f}"
            print(f"{bpp:10.3f} bpp{means}  {gain.in_words('+.4f')}")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="the most important part of each photo goes there")
    args = parser.parse_args()

    model = Model.load(args.weights)
    codec = Recurrent(model)
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    chosen = [paths[len(paths) * i // count] for i in range(count)]
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
    found = [measured(codec, read_photo(path), args.pictures and args.pictures / f"{path.stem}.png") for path in chosen]
    print(f"{count} photos, model {model.id.hex()}; means over photos, whole files\n")
    print_iterations(found)
    print_shared(found)


if __name__ == "__main__":
    _data.run(benchmark)

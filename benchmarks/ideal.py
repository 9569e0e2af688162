"""What a weight file of rmpgc is worth: ideal bits and PSNR of photos at each level; and how two such files differ.

    python -m benchmarks.ideal FOLDER [--weights FILE] [--limit N] [--out FILE]
    python -m benchmarks.ideal --compare BEFORE AFTER

Bits are the ideal length of the symbols that the encoder writes, by the tables: without prefixes, headers, and the ends
of range codes. All blocks of a photo are at one level; two levels make a plane.

`--compare` takes two files that `--out` wrote, of the same photos: how many more bytes AFTER takes at equal PSNR, in %,
with the logarithms of bits interpolated by PSNR. For the base at the lowest PSNR that both reach; for a plane on the
mean over the PSNRs between its beginning and its end; in all from there to the highest. Means over photos, with 95 %
intervals of the bootstrap.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import _data
from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS, Model
from progressive.codecs.rmpgc.backbones.multiscale.picture import latent_of
from progressive.codecs.rmpgc.backbones.multiscale.renderer import Renderer
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, LEVELS, PLANES, TIERS, layout_of
from progressive.codecs.rmpgc.backbones.multiscale.tile import Target, TileState, code_everything
from progressive.errors import UsageError
from progressive.evaluation.bd_rate import RatePoint, rate_difference
from progressive.evaluation.bootstrap import Estimate, estimate
from progressive.exact.coders import CostMeter
from progressive.files import check_writable, read_bytes, write_atomically
from progressive.metrics import psnr
from progressive.photos import find_photos, read_photo

MAX_RESULT_BYTES = 16 * 2**20

LAYERS = ("base", *(f"plane {plane}" for plane in range(1, PLANES + 1)))


@dataclass(frozen=True)
class Measured:
    """A photo. Fields: its pixels; ideal bits up to each level, the base first, and PSNR in dB, [1 + LEVELS] each."""

    pixels: int
    bits: tuple[float, ...]
    psnr: tuple[float, ...]

    @property
    def curve(self) -> list[RatePoint]:
        return list(zip(self.bits, self.psnr, strict=True))


Results = Mapping[str, Measured]
"""By the photo's name."""


def measured(model: Model, photo: Photo) -> Measured:
    """A photo at each level, coded as the encoder codes it."""
    coding, renderer = model.coding, Renderer(model, "cpu")
    layout, colours = layout_of(photo.shape[1], photo.shape[0]), Colours.of(photo)
    tiles: dict[int, TileState] = {}
    meters: list[CostMeter] = []
    steps = []
    with torch.inference_mode():
        latent = latent_of(photo, layout, lambda rgb: model.analyse(colours.turned(rgb)))
        for number, window in enumerate(layout.windows()):
            inside = [y[:, :, *window.slices(side)] for y, side in zip(latent, BLOCK_SIDES, strict=True)]
            target = Target(inside, Choices(inside[0], 0.0, coding.tables, coding.points))
            tiles[number] = TileState(window.height, window.width, coding)
            meters.append(CostMeter(coding.tables, window.blocks))
            steps.append(code_everything(tiles[number], target, meters[-1]))
        bits, quality = [], []
        for _ in zip(*steps, strict=True):
            bits.append(float(sum(meter.bits.sum() for meter in meters)))
            quality.append(psnr(renderer.picture(layout, tiles, colours), photo))
    return Measured(photo.shape[0] * photo.shape[1], tuple(bits), tuple(quality))


def differences(after: Measured, before: Measured) -> dict[str, float]:
    """How many more bytes at equal PSNR, in %: of each layer, and in all; nan where no PSNR is reached by both."""
    curves = after.curve, before.curve
    ends = [[curve[TIERS * plane][1] for curve in curves] for plane in range(PLANES + 1)]
    lowest, highest = max(ends[0]), min(ends[-1])
    ranges = {"base": (lowest, lowest)}
    for plane in range(1, PLANES + 1):
        ranges[f"plane {plane}"] = max(ends[plane - 1]), min(ends[plane])
    ranges["in all"] = lowest, highest
    return {
        name: rate_difference(*curves, low, high) if low <= high <= highest else np.nan
        for name, (low, high) in ranges.items()
    }


def compared(after: Results, before: Results) -> dict[str, Estimate]:
    """Means of `differences` over photos; raises UsageError if these are others, or a curve does not rise."""
    if set(after) != set(before) or any(after[name].pixels != before[name].pixels for name in after):
        raise UsageError("the two files are of different photos: measure both on the same")
    try:
        each = [differences(after[name], before[name]) for name in sorted(after)]
    except ValueError as error:
        raise UsageError(f"the two files cannot be compared: {error}") from error
    found = {}
    for layer in each[0]:
        values = [one[layer] for one in each if np.isfinite(one[layer])]
        if values:
            found[layer] = estimate(values)
    return found


def read_results(path: Path) -> Results:
    """Raises UsageError if the file is none that `--out` wrote."""
    try:
        photos: dict[str, Any] = json.loads(read_bytes(path, limit=MAX_RESULT_BYTES))["photos"]
        found = {n: Measured(int(p["pixels"]), tuple(p["bits"]), tuple(p["psnr"])) for n, p in photos.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} is no result of this benchmark: make one with --out") from error
    if not found or any({len(m.bits), len(m.psnr)} != {1 + LEVELS} for m in found.values()):
        raise UsageError(f"{path} is of another number of levels, or of no photo: make one with --out")
    return found


def print_levels(results: Results) -> None:
    """Bits a pixel of each level by itself and up to it, and PSNR: means over photos."""
    bpp = np.mean([np.array(m.bits) / m.pixels for m in results.values()], axis=0)
    quality = np.mean([m.psnr for m in results.values()], axis=0)
    own = np.diff(bpp, prepend=0)
    print(f"{'level':10}{'bpp':>10}{'up to it':>10}{'PSNR':>10}{'plane bpp':>12}")
    for level in range(1 + LEVELS):
        plane, begun = divmod(level, TIERS)
        name = f"{LAYERS[plane + (begun > 0)]}.{(level - 1) % TIERS}" if level else LAYERS[0]
        whole = "" if begun else f"{own[max(0, level - TIERS + 1) : level + 1].sum():>12.4f}"
        print(f"{name:10}{own[level]:>10.4f}{bpp[level]:>10.4f}{quality[level]:>10.2f}{whole}")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="?", help="folder; default: kodak of --data")
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--out", type=Path, metavar="FILE", help="every measurement goes there, as JSON")
    parser.add_argument("--compare", type=Path, nargs=2, metavar=("BEFORE", "AFTER"), help="two files of --out")
    args = parser.parse_args()

    if args.compare:
        before, after = (read_results(path) for path in args.compare)
        found = compared(after, before)
        print(f"{len(after)} photos; bytes at equal PSNR, {args.compare[1]} beside {args.compare[0]}")
        for layer, mean in found.items():
            print(f"  {layer:10}{mean.in_words('+.2f', ' %')}")
        return
    model = Model.load(args.weights)
    paths = find_photos(str(_data.checked_folder(args.photos or args.data / "kodak")))
    count = min(args.limit or len(paths), len(paths))
    if args.out:
        check_writable(args.out)
    chosen = [paths[len(paths) * i // count] for i in range(count)]
    results = {path.name: measured(model, read_photo(path)) for path in chosen}
    print(f"{count} photos, model {model.id.hex()}, synthesis {model.synthesis_id.hex()}")
    print_levels(results)
    if args.out:
        record = {
            "model": model.id.hex(),
            "synthesis": model.synthesis_id.hex(),
            "photos": {name: asdict(one) for name, one in results.items()},
        }
        write_atomically(args.out, json.dumps(record, indent=1).encode())


if __name__ == "__main__":
    _data.run(benchmark)

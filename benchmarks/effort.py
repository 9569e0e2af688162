"""What the encoder's effort brings and takes: bytes at equal PSNR beside effort 0, and the time of a photo.

    python -m benchmarks.effort [FOLDER] [--codec NAME] [--efforts 3,6,9] [--limit N] [--low 0.08] [--high 0.6]

Each photo is encoded once at each effort and its stream cut at rates from --low to --high bits a pixel; the difference
of bytes is Bjoentegaard's over the PSNRs that both reach, whole files; its mean over photos has a 95 % interval of the
bootstrap. Seconds are processor time of one encoding, mean over photos.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks import _data
from benchmarks.side_by_side import of_stream
from progressive.codec import FAITHFUL, Photo, ProgressiveCodec, with_effort
from progressive.errors import UsageError
from progressive.evaluation.bd_rate import RatePoint, bd_rate
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import byte_limit
from progressive.metrics import psnr
from progressive.photos import find_photos, read_photo
from progressive.registry import DEFAULT_CODEC, load_codec

CUTS = 10


@dataclass(frozen=True, slots=True)
class Encoded:
    """A photo at an effort. Fields: processor seconds of its encoding; (bytes, PSNR) of cuts of its stream."""

    seconds: float
    curve: list[RatePoint]


def encoded(codec: ProgressiveCodec, photo: Photo, rates: Sequence[float]) -> Encoded:
    began = time.process_time()
    stream = codec.encode(photo)
    seconds = time.process_time() - began
    limits = [byte_limit(rate, photo.shape[0] * photo.shape[1]) for rate in rates]
    points = {s.size: psnr(s.picture, photo) for s in of_stream(codec, stream, limits, FAITHFUL) if s is not None}
    return Encoded(seconds, _rising(sorted(points.items())))


def _rising(points: Sequence[tuple[float, float]]) -> list[RatePoint]:
    """Those that are better than all before."""
    kept: list[RatePoint] = []
    for size, quality in points:
        if not kept or quality > kept[-1][1]:
            kept.append((size, quality))
    return kept


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path, nargs="?", help="default: kodak below --data")
    _data.add_arguments(parser)
    parser.add_argument("--codec", default=DEFAULT_CODEC)
    parser.add_argument("--efforts", default="3,6,9")
    parser.add_argument("--limit", type=int, help="photos at most, spread over all")
    parser.add_argument("--low", type=float, default=0.08)
    parser.add_argument("--high", type=float, default=0.6)
    args = parser.parse_args()
    if not 0 < args.low < args.high:
        raise UsageError("--low must be above 0 and below --high")
    torch.set_num_threads(1)
    rates = [float(rate) for rate in np.geomspace(args.low, args.high, CUTS)]
    codec = load_codec(args.codec)
    efforts = [0, *(int(effort) for effort in args.efforts.split(","))]
    codecs = {effort: with_effort(codec, effort) for effort in efforts}
    paths = find_photos(str(_data.checked_folder(args.folder or args.data / "kodak")))
    if args.limit:
        paths = [paths[n * len(paths) // args.limit] for n in range(min(args.limit, len(paths)))]
    found: dict[int, list[Encoded]] = {effort: [] for effort in efforts}
    for number, path in enumerate(paths, 1):
        photo = read_photo(path)
        for effort in efforts:
            found[effort].append(encoded(codecs[effort], photo, rates))
        _print(found, number)


def _print(found: dict[int, list[Encoded]], photos: int) -> None:
    print(f"{photos} photos\n{'effort':>6} {'s':>7} {'bytes at equal PSNR beside effort 0':>36}")
    for effort, measured in found.items():
        pairs = zip(measured, found[0], strict=True)
        compared = [bd_rate(one.curve, other.curve) for one, other in pairs]
        mean = estimate([difference.percent for difference in compared if difference is not None])
        seconds = float(np.mean([one.seconds for one in measured]))
        print(f"{effort:6} {seconds:7.1f} {mean.mean:+8.2f} % ({mean.low:+.2f} to {mean.high:+.2f})", flush=True)


if __name__ == "__main__":
    _data.run(benchmark)

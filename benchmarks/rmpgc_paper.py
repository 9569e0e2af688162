"""A study of the RMPGC paper on our backbones: its arms, real bytes, six measures, and differences with intervals.

    python -m benchmarks.rmpgc_paper [examples/rmpgc_paper/FILE.toml] [FOLDER] [--train DIR ...] [--work DIR]

FOLDER holds photos with a `labels.tsv`; the default is `imagenet_eval` of --data. Arms that have a training of their
own are trained on the photos of --train once, and kept in --work. Streams are cut at each rate; bytes are those of
whole files. Means over photos, and the differences that the study asks for with 95 % intervals of the bootstrap.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from benchmarks._study import Arm, arms_of, read_study
from progressive import metrics
from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.masked.allocation import complexity_of
from progressive.codecs.rmpgc.backbones.masked.backbone import MaskedBackbone
from progressive.codecs.rmpgc.backbones.masked.encoder import MaskedTile
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.container import cut, stream_to_bytes
from progressive.errors import UsageError
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import byte_limit
from progressive.evaluation.meter import Judges, load_judges
from progressive.metrics.recognition import read_labels
from progressive.photos import read_photo
from progressive.runtime.threads import one_thread
from progressive.semantics.blend import relative_complexity
from progressive.semantics.coarse_map import CoarseMap
from progressive.semantics.sources import coarse_importance_map

MEASURES = ("bpp", "top-1", "top-5", "true class", "PSNR", "SSIM", "LPIPS-style")
STUDIES = Path("examples/rmpgc_paper")
PAYLOAD = 300
"""Bytes of a segment at most: photos of 256x256 are a few of them."""

Numbers = NDArray[np.float64]


def measured(
    arm: Arm, photo: Photo, label: int, rates: Sequence[float], judges: Judges, classifier: Path | None = None
) -> Numbers:
    """A photo at each rate, [rates, measures]; what is not known is not a number."""
    coded = arm.codec.analyse(photo)
    if arm.context != "reconstruct" and arm.source != "network":
        coded = replace(
            coded, importance=CoarseMap.of(coarse_importance_map(photo, arm.source, classifier_weights=classifier))
        )
    stream = arm.codec.rank(coded, max_payload=PAYLOAD, context=arm.context)
    rows = []
    for bpp in rates:
        kept = cut(stream, byte_limit(bpp, photo.shape[0] * photo.shape[1]))
        decoder = arm.codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in kept.segments)
        picture = decoder.picture()
        size = 8 * len(stream_to_bytes(kept)) / photo.shape[0] / photo.shape[1]
        apart = judges.perceptual(picture, photo) if judges.perceptual else None
        quality = [metrics.psnr(picture, photo), metrics.ssim(picture, photo), apart]
        known = [np.nan if value is None else value for value in quality]
        rows.append([size, *_recognised(picture, label, judges), *known])
    return np.array(rows, np.float64)


def _recognised(picture: Photo, label: int, judges: Judges) -> list[float]:
    if judges.classifier is None:
        return [np.nan] * 3
    probabilities = judges.classifier.probabilities([picture])[0]
    first = np.argsort(-probabilities, kind="stable")[:5]
    return [float(first[0] == label), float(label in first), float(probabilities[label])]


def overlap(codec: Rmpgc, photo: Photo) -> float:
    """The cosine of the angle between the SIM and the LCM of a photo (section V-D)."""
    coded, backbone = codec.analyse(photo), codec.backbone
    assert isinstance(backbone, MaskedBackbone)
    assert coded.importance is not None
    tiles = [tile for tile in coded.coded.tiles if isinstance(tile, MaskedTile)]
    lcm = relative_complexity(complexity_of(tiles, coded.layout, backbone.model.side)).ravel()
    sim = coded.importance.upsampled(*complexity_of(tiles, coded.layout, backbone.model.side).shape).ravel()
    return float(lcm @ sim / (np.linalg.norm(lcm) * np.linalg.norm(sim) + 1e-12))


def print_arm(name: str, values: Numbers) -> None:
    """Means of an arm over photos, [photos, rates, measures]."""
    for row in values.transpose(1, 2, 0):
        known = [own[~np.isnan(own)] for own in row]
        print(f"| {name} | " + " | ".join(f"{own.mean():.4f}" if len(own) else "" for own in known) + " |")


def print_difference(names: tuple[str, str], first: Numbers, second: Numbers) -> None:
    """Means of paired differences, with intervals, a line for each rate."""
    for a, b in zip(first.transpose(1, 2, 0), second.transpose(1, 2, 0), strict=True):
        cells = []
        for own, other in zip(a[1:], b[1:], strict=True):
            known = ~np.isnan(own + other)
            change = estimate((own - other)[known]) if known.any() else None
            cells.append("" if change is None else change.in_words("+.4f"))
        print(f"| {names[0]} - {names[1]}, {a[0].mean():.3f} bpp | " + " | ".join(cells) + " |")


def _measure_one(task: tuple[Arm, Path, int, tuple[float, ...], Path | None]) -> Numbers:
    arm, path, label, rates, weights = task
    with one_thread():
        return measured(arm, read_photo(path), label, rates, load_judges(weights, None, recognise=True), weights)


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("study", type=Path, nargs="?", default=STUDIES / "masking.toml", help="a file of a study")
    parser.add_argument("photos", type=Path, nargs="?", help="folder with labels.tsv; default: imagenet_eval of --data")
    _data.add_arguments(parser)
    parser.add_argument("--train", type=Path, action="append", default=[], metavar="DIR", help="photos to train on")
    parser.add_argument("--work", type=Path, default=Path("out/rmpgc_paper"), help="where arms' weights are kept")
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()

    if args.limit is not None and args.limit < 1:
        raise UsageError("--limit must be above 0")
    study = read_study(args.study)
    labelled = read_labels(_data.checked_folder(args.photos or args.data / "imagenet_eval"))
    count = min(args.limit or len(labelled), len(labelled))
    chosen = [labelled[len(labelled) * i // count] for i in range(count)]
    print(f"{study.title}: {count} photos", flush=True)
    found: dict[str, Numbers] = {}
    for arm in arms_of(study, args.work, args.train, lambda line: print(line, flush=True)):
        tasks = [(arm, photo.path, photo.label, study.rates, args.classifier_weights) for photo in chosen]
        if args.workers > 1:
            os.environ["OMP_NUM_THREADS"] = "1"
            with ProcessPoolExecutor(args.workers, get_context("spawn")) as pool:
                found[arm.name] = np.array(list(pool.map(_measure_one, tasks, chunksize=8)))
        else:
            found[arm.name] = np.array([_measure_one(task) for task in tasks])
        if study.overlap:
            angles = [overlap(arm.codec, read_photo(photo.path)) for photo in chosen]
            low, middle, high = np.quantile(angles, (0.05, 0.5, 0.95))
            print(f"{arm.name}: cosine of SIM and LCM {low:.2f}, {middle:.2f}, {high:.2f} (5, 50, 95 % of photos)")
    print("\n| arm | " + " | ".join(MEASURES) + " |\n|" + "-|" * (len(MEASURES) + 1))
    for name, values in found.items():
        print_arm(name, values)
    print("\n| difference | " + " | ".join(MEASURES[1:]) + " |\n|" + "-|" * len(MEASURES))
    for names in study.compare:
        print_difference(names, found[names[0]], found[names[1]])


if __name__ == "__main__":
    _data.run(benchmark)

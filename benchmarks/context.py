"""What a context buys: the same photo sent for recognition, for fidelity, and for both, cut at equal bytes.

    python -m benchmarks.context [--data DIR] [--classifier-weights FILE] [--labelled FOLDER] [--codec NAME] [--limit N]

Every labelled photo is coded once and its segments are put in order for each context. At each rate every context shows
the longest cut of its `.prog` file that fits. Prints PSNR, top-1 and the true class's probability, then how contexts
differ, with paired 95 % bootstrap intervals over the photos, pooled over the rates.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarks import _data
from progressive.codec import Photo, ProgressiveCodec
from progressive.contexts import check_context
from progressive.evaluation.bootstrap import estimate
from progressive.evaluation.curves import curve
from progressive.evaluation.meter import Judges, Meter
from progressive.evaluation.streams import stream_points
from progressive.metrics.recognition import LabelledPhoto, read_labels
from progressive.photos import read_photo
from progressive.registry import load_codec
from progressive.stream import LayeredStream

CONTEXTS = ("reconstruct", "classify", "hybrid")
RATES = (0.15, 0.2, 0.3, 0.45, 0.7)
MEASURES = ("PSNR (dB)", "top-1 (%)", "true class (%)")
PAIRS = (("classify", "reconstruct"), ("hybrid", "reconstruct"), ("hybrid", "classify"))

Results = NDArray[np.float64]
"""[contexts, rates, photos, measures]."""


@runtime_checkable
class Ranking(Protocol):
    """A codec that orders a photo's segments again without coding it again."""

    def analyse(self, photo: Photo) -> object: ...

    def rank(self, coded: object, *, max_payload: int, context: str) -> LayeredStream: ...


def streams(codec: ProgressiveCodec, photo: Photo, max_payload: int) -> Iterator[LayeredStream]:
    """One for each context."""
    if isinstance(codec, Ranking):
        coded = codec.analyse(photo)
        yield from (codec.rank(coded, max_payload=max_payload, context=context) for context in CONTEXTS)
    else:
        for context in CONTEXTS:
            yield codec.encode(photo, max_payload=max_payload, context=context)


def measured(codec: ProgressiveCodec, labelled: LabelledPhoto, judges: Judges, max_payload: int) -> Results:
    """Of one photo, [contexts, rates, measures]; NaN where a context has no segment that fits."""
    meter = Meter(read_photo(labelled.path), judges, labelled.label)
    values = np.full((len(CONTEXTS), len(RATES), len(MEASURES)), np.nan)
    for number, stream in enumerate(streams(codec, meter.original, max_payload)):
        points = stream_points(codec, stream, meter, RATES)
        cuts = curve(codec.name, labelled.path.stem, meter.pixels, points, one_stream=True)
        for rate, bpp in enumerate(RATES):
            point = cuts.best_within(bpp)
            if point is not None and point.top1 is not None and point.probability is not None:
                values[number, rate] = point.psnr, 100 * point.top1, 100 * point.probability
    return values


def print_means(results: Results) -> None:
    for index, measure in enumerate(MEASURES):
        print(f"{measure:24}" + "".join(f"{f'{bpp:g} bpp':>10}" for bpp in RATES) + "    pooled")
        for number, context in enumerate(CONTEXTS):
            means = results[number, :, :, index].mean(1)
            print(f"  {context:22}" + "".join(f"{mean:>10.2f}" for mean in (*means, means.mean())))


def print_differences(results: Results, seed: int) -> None:
    pooled = results.mean(1)  # [contexts, photos, measures]
    for first, second in PAIRS:
        print(f"{first} - {second}")
        differences = pooled[CONTEXTS.index(first)] - pooled[CONTEXTS.index(second)]
        for index, measure in enumerate(MEASURES):
            found = estimate(differences[:, index], seed)
            print(f"  {measure:22}{found.in_words('+.2f')}")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--labelled", type=Path, help="photos and labels.tsv; default: imagenet_eval of --data")
    parser.add_argument("--codec", default="rmpgc")
    parser.add_argument("--segment-size", type=int, default=300, help="largest segment, in bytes")
    parser.add_argument("--limit", type=int, help="photos, evenly spread; all if left out")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    codec = load_codec(args.codec)
    for context in CONTEXTS:
        check_context(codec, context)
    labelled = read_labels(_data.checked_folder(args.labelled or args.data / "imagenet_eval"))
    count = min(args.limit or len(labelled), len(labelled))
    labelled = [labelled[len(labelled) * i // count] for i in range(count)]
    judges = Judges(classifier=_data.classifier_of(args))

    results = np.stack([measured(codec, entry, judges, args.segment_size) for entry in labelled], axis=2)
    complete = ~np.isnan(results).any((0, 1, 3))
    print(f"{complete.sum()} of {count} photos have a picture at every rate, in segments of {args.segment_size} bytes")
    print_means(results[:, :, complete])
    print_differences(results[:, :, complete], args.seed)


if __name__ == "__main__":
    _data.run(benchmark)

"""What a photo's most important blocks are worth: how well a classifier recognises it by them alone.

    python -m benchmarks.importance_worth [--data DIR] [--classifier-weights FILE] [--labelled FOLDER]

Of each labelled photo, 10, 20, 30 and 50 % of its blocks of 16x16 pixels are kept, chosen by a map, and the rest is
blurred heavily. Prints top-1, the true class's probability, and the share of photos whose first choice stays what it
is for the whole photo; then how the network's map differs from each other, with paired 95 % bootstrap intervals over
the photos, pooled over the fractions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from benchmarks import _data
from progressive.codec import Photo
from progressive.metrics.recognition import read_labels
from progressive.photos import read_photo
from progressive.semantics.complexity import photo_complexity
from progressive.semantics.sources import importance_map

SIDE = 256
BLOCK = 16
FRACTIONS = (0.1, 0.2, 0.3, 0.5)
BLUR_RADIUS = 12
MEASURES = ("top-1", "true class's probability", "unchanged prediction")

Map = NDArray[np.floating]
BlockMap = Callable[[Photo], Map]


def block_maps(classifier_weights: Path | None, seed: int) -> dict[str, BlockMap]:
    """From a photo of SIDE x SIDE to the importance of each of its blocks."""
    rng = np.random.default_rng(seed)
    cells = SIDE // BLOCK

    def block_means(photo: Photo, source: str) -> Map:
        pixels = importance_map(photo, source, classifier_weights=classifier_weights)
        return np.asarray(pixels.reshape(cells, BLOCK, cells, BLOCK).mean((1, 3)))

    return {
        "network": lambda photo: block_means(photo, "network"),
        "gradcam++": lambda photo: block_means(photo, "gradcam++"),
        "variance": lambda photo: photo_complexity(photo, BLOCK),
        "random": lambda _photo: rng.random((cells, cells)),
    }


def with_blocks_kept(photo: Photo, blurred: Photo, importance: Map, fraction: float) -> Photo:
    kept = np.zeros(importance.size, bool)
    kept[np.argsort(-importance.ravel(), kind="stable")[: round(fraction * importance.size)]] = True
    mask = kept.reshape(importance.shape).repeat(BLOCK, 0).repeat(BLOCK, 1)
    return np.where(mask[:, :, None], photo, blurred)


def measures(probabilities: NDArray[np.float32], label: int, first_choice: int) -> NDArray[np.float64]:
    """One row a picture, in the order of MEASURES."""
    choices = probabilities.argmax(1)
    return np.stack([choices == label, probabilities[:, label], choices == first_choice], axis=1).astype(np.float64)


def paired_interval(differences: NDArray[np.float64], rng: np.random.Generator) -> tuple[float, float]:
    """95 % of the means of photos drawn again with replacement."""
    drawn = rng.integers(len(differences), size=(10_000, len(differences)))
    low, high = np.quantile(differences[drawn].mean(1), (0.025, 0.975))
    return float(low), float(high)


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--labelled", type=Path, help="photos and labels.tsv; default: imagenet_eval of --data")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    labelled = read_labels(_data.checked_folder(args.labelled or args.data / "imagenet_eval"))
    classifier = _data.classifier_of(args)
    maps = block_maps(args.classifier_weights, args.seed)
    results = np.empty((len(maps), len(FRACTIONS), len(labelled), len(MEASURES)))
    whole = np.empty((len(labelled), len(MEASURES)))
    for number, entry in enumerate(labelled):
        image = Image.fromarray(read_photo(entry.path)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        photo, blurred = (np.asarray(i) for i in (image, image.filter(ImageFilter.GaussianBlur(BLUR_RADIUS))))
        probabilities = classifier.probabilities([photo])
        first_choice = int(probabilities[0].argmax())
        whole[number] = measures(probabilities, entry.label, first_choice)[0]
        for row, map_of in enumerate(maps.values()):
            importance = map_of(photo)
            pictures = [with_blocks_kept(photo, blurred, importance, fraction) for fraction in FRACTIONS]
            results[row, :, number] = measures(classifier.probabilities(pictures), entry.label, first_choice)

    print(f"{len(labelled)} photos, whole: top-1 {whole[:, 0].mean():.1%}, true class {whole[:, 1].mean():.1%}")
    rng = np.random.default_rng(args.seed)
    for index, measure in enumerate(MEASURES):
        print(f"{measure:26}" + "".join(f"{fraction:>9.0%}" for fraction in FRACTIONS) + "   pooled")
        for row, name in enumerate(maps):
            means = results[row, :, :, index].mean(1)
            print(f"  {name:24}" + "".join(f"{mean:>9.1%}" for mean in means) + f"{means.mean():>9.1%}")
        for row, name in enumerate(maps):
            if row:
                differences = (results[0] - results[row])[:, :, index].mean(0)
                low, high = paired_interval(differences, rng)
                difference = f"{100 * differences.mean():+.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
                print(f"  network - {name:14} {difference}")


if __name__ == "__main__":
    _data.run(benchmark)

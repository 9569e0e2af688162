"""Agreement of the importance network with its teacher, Grad-CAM++, on photos it was not trained on; and both costs.

    python -m benchmarks.importance [--data DIR] [--classifier-weights FILE] [PHOTOS ...]

Prints a line for each map and folder: mean Pearson correlation with the teacher's map, with its 95 % bootstrap
interval, and the share of the teacher's highest 20 % of cells that are among the map's. The teacher is what the network
was distilled from, the mean of two maps: of the photo, and of its mirror image turned back. The same is said of the
first alone, which is noisier; how well it agrees with the second says how much.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from benchmarks import _data
from progressive.codec import Photo
from progressive.photos import find_photos, read_photo, sample_photo
from progressive.semantics.activation_maps import coarse_mixed_maps, upsampled
from progressive.semantics.classifier import Classifier
from progressive.semantics.importance_network import coarse_importance
from progressive.semantics.sources import TOP_CLASSES, importance_map

GRID = 48
"""Maps are compared at so many cells a side, whatever the photo's shape."""

Map = NDArray[np.float32]


def grad_cam(classifier: Classifier, photo: Photo) -> Map:
    network = classifier.network
    batch = classifier.preprocessing.whole(photo)
    return np.asarray(coarse_mixed_maps(network, network.features, batch, top=TOP_CLASSES)[0].numpy())


def centre_prior() -> Map:
    """A Gaussian at the centre, its standard deviation a quarter of each side."""
    squared = np.square((np.arange(GRID, dtype=np.float32) + 0.5) / GRID - 0.5) / 0.25**2
    return np.exp(-0.5 * (squared[:, None] + squared[None, :]))


def edge_energy(photo: Photo) -> Map:
    """The mean squared gradient of the luma around each sixteenth of the sides."""
    luma = np.asarray(Image.fromarray(photo).convert("L"), np.float32)
    down, right = np.gradient(luma)
    energy = Image.fromarray(np.sqrt(down**2 + right**2))
    return np.asarray(energy.resize((16, 16), Image.Resampling.BOX))


def on_grid(coarse: Map) -> Map:
    return np.asarray(upsampled(torch.from_numpy(np.array(coarse))[None], (GRID, GRID))[0].numpy())


def correlation(found: Map, wanted: Map) -> float:
    a, b = found - found.mean(), wanted - wanted.mean()
    return float((a * b).sum() / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))


def share_of_top_found(found: Map, wanted: Map, share: float = 0.2) -> float:
    count = round(share * wanted.size)
    top = [set(np.argsort(-m.ravel(), kind="stable")[:count]) for m in (found, wanted)]
    return len(top[0] & top[1]) / count


def report_agreement(folder: Path, classifier: Classifier, seed: int) -> None:
    photos = [read_photo(path) for path in find_photos(str(folder))]
    one_view = [on_grid(grad_cam(classifier, photo)) for photo in photos]
    mirrored = [on_grid(grad_cam(classifier, np.ascontiguousarray(photo[:, ::-1])))[:, ::-1] for photo in photos]
    found: dict[str, list[Map]] = {
        "network": [on_grid(coarse_importance(photo)) for photo in photos],
        "centre prior": [centre_prior()] * len(photos),
        "edge energy": [on_grid(edge_energy(photo)) for photo in photos],
    }
    teacher = [np.float32(0.5) * (one + other) for one, other in zip(one_view, mirrored, strict=True)]
    rng = np.random.default_rng(seed)
    resampled = rng.integers(len(photos), size=(2_000, len(photos)))
    for title, wanted, maps in (
        ("the teacher", teacher, found),
        ("one view of it", one_view, found | {"Grad-CAM++, mirrored": mirrored}),
    ):
        print(f"{f'{folder.name}, {len(photos)} photos':24} correlation with {title:20} top 20 % found")
        for name, candidates in maps.items():
            pairs: list[tuple[Map, Map]] = list(zip(candidates, wanted, strict=True))
            correlations = np.array([correlation(*pair) for pair in pairs])
            low, high = np.quantile(correlations[resampled].mean(1), (0.025, 0.975))
            top = np.mean([share_of_top_found(*pair) for pair in pairs])
            print(f"  {name:22} {correlations.mean():8.3f} ({low:.3f} to {high:.3f}) {100 * top:21.1f} %")


def milliseconds(call: Callable[[], object], repetitions: int = 30) -> tuple[float, float]:
    """Median and 90th percentile, after a warm-up."""
    call()
    durations = []
    for _ in range(repetitions):
        start = time.perf_counter()
        call()
        durations.append(1000 * (time.perf_counter() - start))
    median, late = np.quantile(durations, (0.5, 0.9))
    return float(median), float(late)


def report_cost(classifier_weights: Path | None) -> None:
    photo = np.asarray(Image.fromarray(sample_photo()).resize((768, 512), Image.Resampling.BICUBIC))
    print("cost of a map of 768x512 on one core: median, 90th percentile")
    for source in ("network", "gradcam++"):
        call = lambda source=source: importance_map(photo, source, classifier_weights=classifier_weights)  # noqa: E731
        median, late = milliseconds(call)
        print(f"{source:34} {median:8.1f} ms {late:8.1f} ms")


def benchmark() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("photos", type=Path, nargs="*", help="folders; default: train/f and imagenet_eval of --data")
    _data.add_arguments(parser)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    default = (args.data / "train" / "f", args.data / "imagenet_eval")
    folders = [_data.checked_folder(folder) for folder in args.photos or default]
    classifier = _data.classifier_of(args)
    report_cost(args.classifier_weights)
    for folder in folders:
        report_agreement(folder, classifier, args.seed)


if __name__ == "__main__":
    _data.run(benchmark)

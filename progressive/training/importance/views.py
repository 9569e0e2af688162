"""What the network sees in training, and what the teacher says of it.

The teacher looks once at a few views of every photo (the whole of it, crops) and at their mirror images; its maps are
kept beside the weights while a run lasts.

Legend: N views of a batch, V of a shape, h x w cells of the network's output.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save as save_arrays
from torch import Tensor

from progressive.codec import Photo
from progressive.files import write_atomically
from progressive.semantics.classifier import Classifier
from progressive.semantics.importance_network import STRIDE, input_sides
from progressive.semantics.preprocessing import as_rgb, resized
from progressive.training.importance.teacher import teacher_map
from progressive.training.loop import Log

SHAPES = tuple(input_sides(*aspect) for aspect in ((3, 4), (1, 1), (4, 3)))
"""Heights and widths of the network's input in training; all views of a batch have one."""


@dataclass(frozen=True, slots=True)
class View:
    """A rectangle of a photo, in pixels, shown to the network at one of SHAPES."""

    photo: int
    top: int
    left: int
    height: int
    width: int
    shape: int

    def of(self, photos: Sequence[Photo]) -> Photo:
        rows, columns = slice(self.top, self.top + self.height), slice(self.left, self.left + self.width)
        return np.ascontiguousarray(photos[self.photo][rows, columns])


@dataclass(frozen=True, slots=True)
class Targets:
    """What the teacher says of the views of one shape: maps [V, h, w]."""

    views: tuple[View, ...]
    maps: Tensor


def choose_views(photos: Sequence[Photo], count: int, rng: np.random.Generator) -> list[View]:
    """`count` views of every photo: the whole of it, and random crops."""
    views = []
    for index, photo in enumerate(photos):
        height, width = photo.shape[:2]
        views.append(View(index, 0, 0, height, width, _nearest_shape(height / width)))
        for _ in range(count - 1):
            shape = views[-1].shape if rng.random() < 0.7 else int(rng.integers(len(SHAPES)))
            aspect = SHAPES[shape][0] / SHAPES[shape][1] * math.exp(rng.uniform(-0.15, 0.15))
            share = rng.uniform(0.5, 1)
            h = max(1, int(share * min(height, width * aspect)))
            w = max(1, min(width, int(h / aspect)))
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            views.append(View(index, top, left, h, w, shape))
    return views


def draw(photos: Sequence[Photo], targets: Targets, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random views of one shape, half of them mirrored, in jittered colours: RGB [N, 3, 16 h, 16 w] and maps."""
    chosen = rng.integers(len(targets.views), size=batch)
    views = [targets.views[i] for i in chosen]
    rgb = _jittered(torch.cat([as_rgb(resized(view.of(photos), *SHAPES[view.shape])) for view in views]), rng)
    maps = targets.maps[chosen].float()
    mirrored = torch.from_numpy(rng.random(batch) < 0.5)
    rgb = torch.where(mirrored[:, None, None, None], rgb.flip(3), rgb)
    return rgb.contiguous(memory_format=torch.channels_last), torch.where(mirrored[:, None, None], maps.flip(2), maps)


def _jittered(rgb: Tensor, rng: np.random.Generator) -> Tensor:
    """Contrast, brightness and saturation of each photo changed at random; one of ten becomes grey."""

    def drawn(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (len(rgb), 1, 1, 1)).astype(np.float32))

    saturation = torch.where(drawn(0, 1) < 0.1, 0, drawn(0.6, 1.4))
    grey, mean = rgb.mean(1, keepdim=True), rgb.mean((1, 2, 3), keepdim=True)
    coloured = grey + saturation * (rgb - grey)
    return (mean + drawn(-0.12, 0.12) + drawn(0.7, 1.3) * (coloured - mean)).clamp(0, 1)


def _nearest_shape(aspect: float) -> int:
    return min(range(len(SHAPES)), key=lambda i: abs(math.log(aspect * SHAPES[i][1] / SHAPES[i][0])))


def answered(
    photos: Sequence[Photo], views: Sequence[View], classifier: Classifier, cache: Path, log: Log
) -> list[Targets]:
    """The teacher's maps a shape that has views, from the cache if that was made of the same ones."""
    if not views:
        return []
    grouped = [tuple(v for v in views if v.shape == shape) for shape in range(len(SHAPES))]
    key = np.array([(v.photo, v.top, v.left, v.height, v.width, v.shape) for g in grouped for v in g])
    answers = _read_cache(cache, key)
    if answers is None:
        answers = {"key": key}
        for shape, group in enumerate(grouped):
            cells = (SHAPES[shape][0] // STRIDE, SHAPES[shape][1] // STRIDE)
            maps = np.empty((len(group), *cells), np.float16)
            for i, view in enumerate(group):
                maps[i] = teacher_map(classifier, view.of(photos), cells)
                if i % 500 == 499:
                    log(f"teacher: {i + 1} of {len(group)} views of shape {shape + 1} of {len(SHAPES)}")
            answers[f"maps{shape}"] = maps
        write_atomically(cache, save_arrays(answers))
    maps_of = [torch.from_numpy(answers[f"maps{shape}"]) for shape in range(len(SHAPES))]
    return [Targets(group, maps) for group, maps in zip(grouped, maps_of, strict=True) if group]


def _read_cache(cache: Path, key: NDArray[np.int64]) -> dict[str, NDArray[np.generic]] | None:
    if not cache.is_file():
        return None
    try:
        answers = load_arrays(cache)
    except SafetensorError:
        return None
    return answers if np.array_equal(answers["key"], key) else None

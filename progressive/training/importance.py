"""Trains the importance network to find, in one forward pass, what Grad-CAM++ finds by a classifier and its gradients.

The teacher looks once at a few views of every photo (the whole of it, crops) and at their mirror images; its maps are
kept beside the weights while a run lasts. The network starts from the classifier's features, and all of it learns.

Legend: N views of a batch, V of a shape, h x w cells of the network's output.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save as save_arrays
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import write_atomically
from progressive.semantics.classifier import Classifier, load_classifier
from progressive.semantics.importance_network import STRIDE, ImportanceNetwork, input_sides
from progressive.semantics.preprocessing import as_rgb, resized
from progressive.training.data import load_photos
from progressive.training.importance_teacher import features_for_photos, teacher_map

Log = Callable[[str], None]

SHAPES = tuple(input_sides(*aspect) for aspect in ((3, 4), (1, 1), (4, 3)))
"""Heights and widths of the network's input in training; all views of a batch have one."""


@dataclass(frozen=True)
class Recipe:
    """Settings of a run.

    Fields:
        photos: photos to train on, at most; one of 32 is set aside to watch the progress on.
        views: of each photo that the teacher looks at.
        steps: gradient steps.
        batch: views a step.
        learning_rate: of the head, the highest, after the warm-up.
        feature_rate: of the features, which start from good ones, likewise.
        weight_decay: of AdamW.
        averaging: decay a step of the moving average of the weights, which is what is kept.
        report: steps between reports; each writes the weights and what is needed to resume.
        seed: of everything random.
    """

    photos: int = 10_000
    views: int = 4
    steps: int = 1_000
    batch: int = 16
    learning_rate: float = 2e-3
    feature_rate: float = 2e-4
    weight_decay: float = 0.03
    averaging: float = 0.995
    report: int = 100
    seed: int = 0


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


def train(
    data: Sequence[Path],
    out: Path,
    *,
    teacher: Path | None = None,
    photos: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    log: Log,
) -> None:
    """Trains on the photos below the folders `data` and writes the weight file `out`.

    `teacher` names the classifier's weights (see `progressive.semantics.classifier.find_weights`). Beside `out` lie,
    while it runs, the teacher's maps and the state that `resume` goes on from; without a state, `resume` starts from
    the weights in `out`. `photos` and `steps` replace the recipe's. Raises UsageError without photos or teacher.
    """
    recipe = replace(Recipe(seed=seed), **{k: v for k, v in (("photos", photos), ("steps", steps)) if v is not None})
    run(data, out, teacher=teacher, recipe=recipe, resume=resume, log=log)


def run(data: Sequence[Path], out: Path, *, teacher: Path | None, recipe: Recipe, resume: bool, log: Log) -> None:
    """`train` with every setting of the recipe open."""
    torch.manual_seed(recipe.seed)
    classifier = load_classifier(teacher)
    student = Student(recipe)
    if resume:
        student.restore(out)
    else:
        student.start_from(classifier)
    photos = load_photos(data, limit=recipe.photos, seed=recipe.seed, upscaling=1)
    held_out = len(photos) // 32
    views = choose_views(photos, held_out, recipe)
    log(f"{len(photos)} photos, {len(views)} views, {held_out} photos set aside")
    targets = _targets(photos, views, classifier, out.with_suffix(".teacher"), log)
    training = [_without(t, lambda view: view.photo < held_out) for t in targets]
    watched = [_without(t, lambda view: view.photo >= held_out) for t in targets]
    student.fit(photos, training, watched, out, log)
    for leftover in (out.with_suffix(".teacher"), out.with_suffix(".state")):
        leftover.unlink(missing_ok=True)
    log(f"wrote {out}")


def choose_views(photos: Sequence[Photo], held_out: int, recipe: Recipe) -> list[View]:
    """Every photo whole, and random crops of all but the first `held_out`."""
    rng = np.random.default_rng(recipe.seed)
    views = []
    for index, photo in enumerate(photos):
        height, width = photo.shape[:2]
        views.append(View(index, 0, 0, height, width, _nearest_shape(height / width)))
        for _ in range(0 if index < held_out else recipe.views - 1):
            shape = views[-1].shape if rng.random() < 0.7 else int(rng.integers(len(SHAPES)))
            aspect = SHAPES[shape][0] / SHAPES[shape][1] * math.exp(rng.uniform(-0.15, 0.15))
            share = rng.uniform(0.5, 1)
            h = max(1, int(share * min(height, width * aspect)))
            w = max(1, min(width, int(h / aspect)))
            top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            views.append(View(index, top, left, h, w, shape))
    return views


class Student:
    """The network in training and its moving average."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.network = ImportanceNetwork()
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = self._copy()
        features = list(self.network.features.parameters())
        head = [p for name, p in self.network.named_parameters() if not name.startswith("features.")]
        self.rates = (recipe.feature_rate, recipe.learning_rate)
        self.optimiser = torch.optim.AdamW(
            [{"params": features}, {"params": head}], recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.step = 0

    def start_from(self, classifier: Classifier) -> None:
        """Takes the classifier's features over."""
        self.network.features.load_state_dict(features_for_photos(classifier))
        self.average = self._copy()

    def fit(
        self, photos: Sequence[Photo], training: Sequence[Targets], watched: Sequence[Targets], out: Path, log: Log
    ) -> None:
        """Takes the remaining steps; every report writes the average's weights to `out` and the state beside it."""
        recipe, total = self.recipe, 0.0
        shares = np.array([len(t.views) for t in training]) / sum(len(t.views) for t in training)
        while self.step < recipe.steps:
            rng = np.random.default_rng((recipe.seed, self.step))
            self._set_learning_rates()
            total += self._learn(*draw(photos, training[rng.choice(len(training), p=shares)], recipe.batch, rng))
            self.step += 1
            if self.step % recipe.report == 0:
                log(
                    f"step {self.step}: correlation {total / recipe.report:.3f} in training,"
                    f" {self.agreement(photos, watched):.3f} on photos set aside"
                )
                total = 0.0
                self.checkpoint(out)
        self.checkpoint(out)

    def agreement(self, photos: Sequence[Photo], watched: Sequence[Targets]) -> float:
        """Mean correlation of the average's maps with the teacher's."""
        network = ImportanceNetwork()
        network.load_state_dict(self.average)
        network.eval()
        correlations = []
        with torch.inference_mode():
            for targets in watched:
                for view, target in zip(targets.views, targets.maps, strict=True):
                    rgb = as_rgb(resized(view.of(photos), *SHAPES[view.shape]))
                    correlations.append(correlation(network(rgb).sigmoid(), target[None].float()).item())
        return float(np.mean(correlations)) if correlations else math.nan

    def checkpoint(self, out: Path) -> None:
        """Writes weights, 16-bit floats, and the state of the training."""
        halved = {n: (t.half() if t.is_floating_point() else t).contiguous() for n, t in self.average.items()}
        write_atomically(out, save(halved))
        state = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
        }
        partial = out.with_suffix(".state.partial")
        torch.save(state, partial)
        partial.replace(out.with_suffix(".state"))

    def restore(self, out: Path) -> None:
        """Goes on from the state beside `out`, or else from its weights."""
        state_file = out.with_suffix(".state")
        if state_file.is_file():
            state = torch.load(state_file, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.average, self.step = state["average"], state["step"]
        elif out.is_file():
            self.network.load_state_dict(load_file(out))
            self.average = self._copy()
        else:
            raise UsageError(f"nothing to resume: there is no {out}")

    def _copy(self) -> dict[str, Tensor]:
        return {name: t.detach().clone() for name, t in self.network.state_dict().items()}

    def _set_learning_rates(self) -> None:
        warm_up = min(1.0, (self.step + 1) / 50)
        decay = 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps)) + 0.003
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * warm_up * decay

    def _learn(self, rgb: Tensor, maps: Tensor) -> float:
        """One gradient step; the correlation before it."""
        found = self.network(rgb).sigmoid()
        agreement = correlation(found, maps).mean()
        loss = 1 - agreement + 4 * F.mse_loss(found, maps)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 2.0)
        self.optimiser.step()
        decay = min(self.recipe.averaging, (1 + self.step) / (10 + self.step))
        for name, current in self.network.state_dict().items():
            if current.is_floating_point():
                self.average[name].lerp_(current, 1 - decay)
            else:
                self.average[name].copy_(current)
        return agreement.item()


def draw(photos: Sequence[Photo], targets: Targets, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Random views of one shape, half of them mirrored, in jittered colours: RGB [N, 3, 16 h, 16 w] and maps."""
    chosen = rng.integers(len(targets.views), size=batch)
    views = [targets.views[i] for i in chosen]
    rgb = _jittered(torch.cat([as_rgb(resized(view.of(photos), *SHAPES[view.shape])) for view in views]), rng)
    maps = targets.maps[chosen].float()
    mirrored = torch.from_numpy(rng.random(batch) < 0.5)
    rgb = torch.where(mirrored[:, None, None, None], rgb.flip(3), rgb)
    return rgb.contiguous(memory_format=torch.channels_last), torch.where(mirrored[:, None, None], maps.flip(2), maps)


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, of each pair of maps [N, h, w]; zero where one is flat."""
    a, b = ((m - m.mean((1, 2), keepdim=True)).flatten(1) for m in (a, b))
    return F.cosine_similarity(a, b, dim=1, eps=1e-6)


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


def _without(targets: Targets, unwanted: Callable[[View], bool]) -> Targets:
    kept = [i for i, view in enumerate(targets.views) if not unwanted(view)]
    return Targets(tuple(targets.views[i] for i in kept), targets.maps[kept])


def _targets(
    photos: Sequence[Photo], views: Sequence[View], classifier: Classifier, cache: Path, log: Log
) -> list[Targets]:
    """The teacher's maps a shape, from the cache if that was made of the same views."""
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
    return [Targets(group, torch.from_numpy(answers[f"maps{shape}"])) for shape, group in enumerate(grouped)]


def _read_cache(cache: Path, key: NDArray[np.int64]) -> dict[str, NDArray[np.generic]] | None:
    if not cache.is_file():
        return None
    answers = load_arrays(cache)
    return answers if np.array_equal(answers["key"], key) else None

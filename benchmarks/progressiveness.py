"""The price of progressiveness: bits of rmpgc's planes against models that code one step at once, at equal PSNR.

    python -m benchmarks.progressiveness --steps N [--fineness 1 2 3] [--held-out FOLDER] [--json FILE]

All take the transform of --weights and equal training from the beginning: the same steps, batches, learning rates,
photos and seeds. The **planes** are the codec's probability networks (the recipe's phase `entropy`). A model of one
step is the recipe's context model, which is as strong (`progressive.training.rmpgc.context`): it quantises once, by a
step so many halvings finer than the base's, and codes everything in one walk with context across the whole photo.

Bits are ideal lengths under the networks, unrounded, of the true symbols, on both sides. Left out on both: headers,
stored tables, range codes and their ends, what segments say of themselves, cheaper symbols, the synthesis network. Both
read coefficients as the mean of their bin, over each scale of the photo. The planes are cut where their linear picture
is as good as the other's: between whole planes, logarithms of bits interpolated. That blocks are coded apart is part of
the price.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import _data
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS, Coding
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import STEP, base_index, child_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import PLANES
from progressive.codecs.rmpgc.backbones.multiscale.transform import Transform
from progressive.errors import UsageError
from progressive.evaluation.bootstrap import estimate
from progressive.files import check_writable, write_atomically
from progressive.training.data import load_photos, load_sets
from progressive.training.fit import Fit
from progressive.training.loop import scheduled
from progressive.training.rmpgc.context import Context, bits_of, index_of
from progressive.training.rmpgc.export import fitted_coding, read_model
from progressive.training.rmpgc.model import Semantics, Trainee
from progressive.training.rmpgc.phases import PHASES, Contexts
from progressive.training.rmpgc.photos import PhotoPool
from progressive.training.rmpgc.rate import bits_of_planes, parents_and_symbols
from progressive.training.rmpgc.settings import SHIPPED, Settings
from progressive.training.rmpgc.stage import Stage
from progressive.training.settings import read_settings
from progressive.training.workers import DEVICES, Worker, joined

Numbers = NDArray[np.float64]

FINENESS = (1.0, 2.0, 3.0)
"""Halvings of the base's step: those of the planes."""

Point = tuple[float, float]
"""Bits, and PSNR in dB."""


@dataclass(frozen=True)
class Prices:
    """Against a model of one step, a value a photo.

    Fields:
        bpp, db: of the model of one step.
        percent: bits of the planes at the same PSNR over those of the other, less one; nan where they do not reach it.
    """

    bpp: tuple[float, ...]
    db: tuple[float, ...]
    percent: tuple[float, ...]

    @property
    def line(self) -> str:
        reached = [p for p in self.percent if math.isfinite(p)]
        if not reached:
            return f"{np.mean(self.bpp):>10.3f}{np.mean(self.db):>10.2f}{'out of reach':>28}"
        price = estimate(reached)
        percent = price.in_words("+.1f")
        return f"{np.mean(self.bpp):>10.3f}{np.mean(self.db):>10.2f}{percent:>28}"


@torch.no_grad()
def planes_of(model: Trainee, photo: Tensor) -> list[Point]:
    """What the photo, [1, 3, H, W], takes and shows up to the base and each plane."""
    latent = model.transform.analyse(photo)
    bits = bits_of_planes(model.networks, latent).double().sum(1).cumsum(0).tolist()
    indices = [[base_index(y) for y in latent]]
    for plane in range(1, PLANES + 1):
        parents, symbols = parents_and_symbols(latent, plane)
        indices.append([child_of(n, s, plane) for n, s in zip(parents, symbols, strict=True)])
    return [(b, shown(model.transform, latent, index, photo)) for b, index in zip(bits, indices, strict=True)]


@torch.no_grad()
def one_step(transform: Transform, context: Context, photo: Tensor, fineness: float) -> Point:
    """What the photo takes and shows with one quantiser."""
    latent = transform.analyse(photo)
    step = torch.full((1, 1, 1, 1), STEP * 2**-fineness, device=photo.device)
    index = [index_of(y, step) for y in latent]
    parameters = context(index, torch.full((1,), fineness, device=photo.device))
    bits = sum(float(bits_of(n, *p.unbind(1)).double().sum()) for n, p in zip(index, parameters, strict=True))
    return bits, shown(transform, latent, index, photo)


def shown(transform: Transform, latent: list[Tensor], index: list[Tensor], photo: Tensor) -> float:
    """PSNR of the linear picture of these indices, clipped to 0..1 but not rounded."""
    values = [bin_means(y, n) for y, n in zip(latent, index, strict=True)]
    picture = transform.synthesise(values).clamp(0, 1)
    return -10 * math.log10(float((picture - photo.clamp(0, 1)).square().mean()) + 1e-10)


def bin_means(values: Tensor, index: Tensor) -> Tensor:
    """For each coefficient the mean of those that have its index."""
    _, place = torch.unique(index, return_inverse=True)
    sums = torch.zeros(int(place.max()) + 1, device=values.device).double()
    counts = torch.bincount(place.flatten())
    sums.index_add_(0, place.flatten(), values.flatten().double())
    return (sums / counts)[place].to(values.dtype)


def price(planes: Sequence[Point], single: Point) -> float:
    """By how many % the planes take more bits at the PSNR of the other; nan where that is beyond them."""
    bits, db = np.array(planes).T
    if not db[0] <= single[1] <= db[-1]:
        return math.nan
    return float(100 * (np.exp(np.interp(single[1], db, np.log(bits))) / single[0] - 1))


def prices_of(photos: Sequence[Tensor], planes: Trainee, singles: Sequence[tuple[float, Context]]) -> list[Prices]:
    """The price on photos [1, 3, H, W] against each model of one step (its fineness, its context model)."""
    curves = [planes_of(planes, photo) for photo in photos]
    found = []
    for fineness, context in singles:
        points = [one_step(planes.transform, context, photo, fineness) for photo in photos]
        bpp = tuple(bits / photo[0, 0].numel() for (bits, _), photo in zip(points, photos, strict=True))
        percent = tuple(price(curve, point) for curve, point in zip(curves, points, strict=True))
        found.append(Prices(bpp, tuple(db for _, db in points), percent))
    return found


@dataclass(frozen=True)
class Course:
    """What every model goes through. Fields: settings and photos of the training; seed of everything drawn."""

    settings: Settings
    pool: PhotoPool
    worker: Worker
    seed: int

    def taken(self, name: str, transform: Transform, prepared: Callable[[Stage], None] = lambda _: None) -> Trainee:
        """A new model at the end of a phase of the recipe; `prepared` may change the phase."""
        torch.manual_seed(self.seed)
        model = Trainee(transform=transform).to(self.worker.device)
        phase = PHASES[name](
            model, Semantics().to(self.worker.device), self.settings, self.pool, lambda: self._coding(model)
        )
        prepared(phase)
        phase.prepare(self._generator(0), fresh=True)
        fit, own = Fit(phase, self.settings), phase.own
        for step in range(own.steps):
            rate = own.learning_rate * scheduled(step, own.steps, self.settings)
            fit.learn(self._generator(1 + step), rate, self.worker)
            if fit.step % self.settings.report == 0:
                figures = ", ".join(f"{figure} {value:.4g}" for figure, value in fit.figures.items())
                print(f"{name} {fit.step}/{own.steps}: {figures}", flush=True)
        return fit.average.eval()

    def _coding(self, model: Trainee) -> Coding:
        return fitted_coding(model.networks, model.analyse, self.pool.whole(self.settings.calibration_photos))

    def _generator(self, number: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, number))


def at(fineness: float) -> Callable[[Stage], None]:
    """Makes the context model's phase one for a single step."""

    def prepared(phase: Stage) -> None:
        assert isinstance(phase, Contexts)
        phase.fineness = (fineness, fineness)

    return prepared


def course_of(args: argparse.Namespace, worker: Worker) -> Course:
    recipe = read_settings(Settings, SHIPPED, args.profile).limited(photos=args.photos, steps=args.steps)
    asked = {name: value for name, value in (("batch", args.batch), ("crop", args.crop)) if value}
    entropy = replace(recipe.entropy, **asked)
    changed: dict[str, Any] = {"entropy": entropy, "context": entropy, "rounded_share": 0.0}
    settings = replace(recipe, **changed)
    folders = [_data.checked_folder(folder) for folder in args.train or [args.data / "train"]]
    photos = load_sets(folders, None, limit=settings.photos, set_aside=0, side=entropy.crop, seed=args.seed)
    pool = PhotoPool(photos.training, worker.device)
    return Course(settings, pool, worker, args.seed)


def held_out_photos(folder: Path, count: int, device: torch.device) -> list[Tensor]:
    """Up to so many photos of a folder in their colours, as far as whole blocks go."""
    photos = load_photos([_data.checked_folder(folder)], limit=count, seed=0, upscaling=1)
    return [photo.to(device) for photo in PhotoPool(photos, torch.device("cpu")).whole(count)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="whose transform all take")
    parser.add_argument("--steps", type=int, help="of each model; without it nothing is measured")
    parser.add_argument("--fineness", type=float, nargs="+", default=FINENESS, help="halvings of the base's step")
    parser.add_argument("--train", type=Path, nargs="+", help="folders; default: train of --data")
    parser.add_argument("--photos", type=int, help="to train on, at most")
    parser.add_argument("--held-out", type=Path, help="folder to measure; default: kodak of --data")
    parser.add_argument("--limit", type=int, default=24, help="photos to measure, at most")
    parser.add_argument("--batch", type=int, help="crops a step; as the recipe if left out")
    parser.add_argument("--crop", type=int, help="their side in pixels; as the recipe if left out")
    parser.add_argument("--profile", choices=("cpu", "gpu"), default="cpu", help="of the recipe")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="the price on each photo goes there")
    return parser.parse_args()


def benchmark() -> None:
    args = arguments()
    if not args.steps:
        raise UsageError("training takes hours: say how many --steps each model has, such as 2000")
    if args.json:
        check_writable(args.json)
    with joined(args.device) as worker:
        photos = held_out_photos(args.held_out or args.data / "kodak", args.limit, worker.device)
        course = course_of(args, worker)
        transform = read_model(args.weights)[1].requires_grad_(False)
        planes = course.taken("entropy", transform)
        singles = [(f, course.taken("context", transform, at(f)).context) for f in args.fineness]
        prices = prices_of(photos, planes, singles)
    if args.json:
        values = {f"{f:g}": asdict(p) for f, p in zip(args.fineness, prices, strict=True)}
        write_atomically(args.json, json.dumps(values, indent=1).encode())
    own = course.settings.entropy
    print(
        f"{len(photos)} photos; {args.steps} steps, {own.batch} crops of {own.crop} pixels a step; prices in % "
        "at equal PSNR, means over photos (95 % of bootstraps)"
    )
    print(f"{'fineness':>10}{'bpp':>10}{'PSNR':>10}{'bits of the planes':>28}")
    for fineness, found in zip(args.fineness, prices, strict=True):
        print(f"{fineness:>10g}{found.line}")


if __name__ == "__main__":
    _data.run(benchmark)

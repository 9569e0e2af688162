"""The price of progressiveness: bytes of rmpgc's one model against models fine-tuned for one rate, at equal PSNR.

    python -m benchmarks.progressiveness --steps N [--gains 2.2 4 7] [--held-out FOLDER] [--out FOLDER]

All begin with the same checkpoint and take equal steps of the recipe: the same phases, batches, learning rates, photos
and seeds; pictures are judged by squared error alone. A model of one rate (`_single_rate`) quantises once, by the step
of its rate, codes everything in one pass with context across the whole photo, and its synthesis knows one state. The
progressive model goes on under all conditions.

Bytes are ideal code lengths under the networks with rounded weights, of the true symbols, on both sides. Left out on
both: headers, stored tables, range codes and their ends, what segments say of themselves, and the cheaper symbols that
an encoder may choose. That blocks are coded apart is part of the price (`benchmarks.price` measures that alone).

The progressive model is cut where its picture is as good as the other's. By slope: in the stream's order, one level of
one block at a time by the squared error that it removes a bit, so mostly inside planes. By level: between pictures with
all blocks at one level, logarithms of bits interpolated.

What is under way lies in --out: the same call goes on from there, and measures again once all is trained.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks import _data
from benchmarks._layered_photo import LayeredPhoto
from benchmarks._single_rate import SingleRate, SingleRateTraining
from progressive.codecs.rmpgc.model import WEIGHTS
from progressive.errors import UsageError
from progressive.evaluation.bootstrap import estimate
from progressive.files import read_bytes, write_atomically
from progressive.training.data import load_photos
from progressive.training.rmpgc_export import read_model
from progressive.training.rmpgc_loop import Plan, Training
from progressive.training.rmpgc_model import Trainee
from progressive.training.rmpgc_photos import PhotoPool, load_pools
from progressive.training.rmpgc_settings import PHASES, PROFILES, SHIPPED, Settings, read_settings
from progressive.training.workers import DEVICES, Worker, joined

Numbers = NDArray[np.float64]

GAINS = (2.2, 4.0, 7.0)
"""How many times finer bins are than the base's: about 0.1, 0.25 and 0.5 bit a pixel."""

WATCHED = 4
"""Held-out photos that the log of training shows."""

MAX_WEIGHT_BYTES = 10 * 2**20

M = TypeVar("M", bound=Trainee)


@dataclass(frozen=True)
class Course:
    """What every model goes through.

    Fields:
        phases: of the recipe, by name.
        settings: the recipe's.
        seed: of everything drawn.
        pool, watched: photos to train on, and those that the log shows.
        folder: where models under way are kept.
    """

    phases: tuple[str, ...]
    settings: Settings
    seed: int
    pool: PhotoPool
    watched: list[Tensor]
    folder: Path

    def taken(self, name: str, model: M, training: type[Training], worker: Worker) -> M:
        """The model at the end of the course, on which it goes from where it was left."""
        state = self.folder / f"{name}.state"
        training(
            model,
            Plan(self.phases, resumed=True, seed=self.seed),
            self.settings,
            pool=self.pool,
            held_out=self.watched,
            worker=worker,
            state=state,
            log=lambda line: print(f"{name}: {line}", flush=True),
        ).run(torch.load(state, map_location=worker.device, weights_only=True) if state.is_file() else None)
        return rounded(model)


def rounded(model: M) -> M:
    """The model for measuring: networks compute with rounded weights."""
    model.networks.set_rounding("straight-through")
    return model.eval().requires_grad_(False)


@dataclass(frozen=True)
class Prices:
    """Against a model of one rate, a value a photo.

    Fields:
        bpp, db: of the model of one rate.
        by_slope, by_level: bits of the progressive model at the same PSNR over those of the other, less one, in %.
        before: `by_slope` of the progressive model as it began.
    """

    bpp: Numbers
    db: Numbers
    by_slope: Numbers
    by_level: Numbers
    before: Numbers

    @property
    def line(self) -> str:
        prices = (estimate(p) for p in (self.by_slope, self.by_level, self.before))
        columns = (f"{p.mean:+.1f} ({p.low:+.1f} to {p.high:+.1f})" for p in prices)
        return f"{self.bpp.mean():>10.3f}{self.db.mean():>10.2f}" + "".join(f"{c:>24}" for c in columns)


def prices_of(
    photos: Sequence[Tensor], singles: Sequence[SingleRate], progressive: Trainee, before: Trainee
) -> list[Prices]:
    """The price on photos [1, 3, H, W] against each model of one rate; nan where the PSNR is out of reach."""
    rows = np.empty((len(singles), 5, len(photos)))
    for number, photo in enumerate(photos):
        after, began = LayeredPhoto(progressive, photo), LayeredPhoto(before, photo)
        for row, single in zip(rows, singles, strict=True):
            bits, db = single.measured(photo)
            spent = np.array([after.bits_by_slope(db), after.bits_by_level(db), began.bits_by_slope(db)])
            row[:, number] = bits / photo[0, 0].numel(), db, *(100 * (spent / bits - 1))
    return [Prices(*row) for row in rows]


def course_of(args: argparse.Namespace, device: torch.device, watched: list[Tensor]) -> Course:
    """Raises UsageError if --out holds models of another course."""
    recipe = read_settings(SHIPPED, args.profile).limited(photos=args.photos, steps=args.steps)
    each = {name: recipe.phase(name) for name in PHASES}
    asked = {k: v for k, v in (("batch", args.batch), ("crop", args.crop)) if v}
    changed: dict[str, Any] = {name: replace(own, **asked) for name, own in each.items()}
    settings = replace(recipe, feature_weight=0.0, resumed_rate=args.rate_share, **changed)
    folders = [_data.checked_folder(folder) for folder in args.train or [args.data / "train"]]
    args.out.mkdir(parents=True, exist_ok=True)
    plan = {
        "weights": zlib.crc32(read_bytes(args.weights, limit=MAX_WEIGHT_BYTES)),
        "phases": args.phases,
        "settings": asdict(settings),
        "train": [str(folder.resolve()) for folder in folders],
        "seed": args.seed,
    }
    written, text = args.out / "course.json", json.dumps(plan, indent=1)
    if written.is_file() and written.read_text() != text:
        raise UsageError(f"{args.out} holds models of other settings ({written.name}): give another --out")
    side = max(settings.phase(name).crop for name in args.phases)
    pool, _ = load_pools(folders, None, limit=settings.photos, set_aside=0, side=side, seed=args.seed, device=device)
    write_atomically(written, text.encode())
    return Course(tuple(args.phases), settings, args.seed, pool, watched, args.out)


def held_out_photos(folder: Path, count: int, device: torch.device) -> list[Tensor]:
    """Up to so many photos of a folder as they are, as far as whole blocks go."""
    photos = load_photos([_data.checked_folder(folder)], limit=count, seed=0, upscaling=1)
    return [photo.to(device) for photo in PhotoPool(photos, torch.device("cpu")).whole(count)]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    _data.add_arguments(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="the checkpoint")
    parser.add_argument("--steps", type=int, help="of each phase and model; without it nothing is measured")
    parser.add_argument("--phases", nargs="+", default=["entropy", "synthesis"], choices=PHASES)
    parser.add_argument("--rate-share", type=float, default=1.0, help="learning rates, as a share of the recipe's")
    parser.add_argument("--gains", type=float, nargs="+", default=GAINS, help="how many times finer bins are")
    parser.add_argument("--train", type=Path, nargs="+", help="folders; default: train of --data")
    parser.add_argument("--photos", type=int, help="to train on, at most")
    parser.add_argument("--held-out", type=Path, help="folder to measure; default: kodak of --data")
    parser.add_argument("--limit", type=int, default=24, help="photos to measure, at most")
    parser.add_argument("--batch", type=int, help="crops a step; as the recipe if left out")
    parser.add_argument("--crop", type=int, help="their side in pixels; as the recipe if left out")
    parser.add_argument("--profile", choices=PROFILES, default="cpu", help="of the recipe")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out/progressiveness"), help="models under way and prices")
    return parser.parse_args()


def benchmark() -> None:
    args = arguments()
    if not args.steps:
        raise UsageError("fine-tuning takes hours: say how many --steps each model has, such as 2000")
    if min(args.gains) < 1:
        raise UsageError(f"a gain of {min(args.gains):g} makes bins wider than the base's: give 1 or more")
    with joined(args.device) as worker:
        photos = held_out_photos(args.held_out or args.data / "kodak", args.limit, worker.device)
        course = course_of(args, worker.device, photos[:WATCHED])
        before = rounded(Trainee(*read_model(args.weights)).to(worker.device))
        progressive = course.taken("progressive", Trainee(*read_model(args.weights)), Training, worker)
        singles = []
        for gain in args.gains:
            torch.manual_seed(args.seed)
            single = SingleRate(Trainee(*read_model(args.weights)), gain)
            singles.append(course.taken(f"gain-{gain:g}", single, SingleRateTraining, worker))
        prices = prices_of(photos, singles, progressive, before)
    values = {
        f"{gain:g}": {k: v.tolist() for k, v in asdict(p).items()} for gain, p in zip(args.gains, prices, strict=True)
    }
    write_atomically(args.out / "prices.json", json.dumps(values, indent=1).encode())
    own = course.settings.phase(args.phases[0])
    print(
        f"{len(photos)} photos; {args.steps} steps each of {', '.join(args.phases)}, {own.batch} crops of {own.crop} "
        "pixels a step; prices in % at equal PSNR, means over photos (95 % of bootstraps)"
    )
    print(f"{'gain':>6}{'bpp':>10}{'PSNR':>10}{'by slope':>24}{'by level':>24}{'not fine-tuned':>24}")
    for gain, price in zip(args.gains, prices, strict=True):
        print(f"{gain:>6g}{price.line}")


if __name__ == "__main__":
    _data.run(benchmark)

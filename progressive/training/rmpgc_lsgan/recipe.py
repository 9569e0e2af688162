"""Trains RMPGC's LS-GAN backbone, in any of the paper's variants.

photos ─ encoder ─ latent, variance ─ levels ─ masked under a condition ─ decoder ─> pictures ─ discriminators
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.rmpgc.backbones.lsgan.model import ARCHITECTURE
from progressive.codecs.rmpgc.backbones.lsgan.variants import VARIANTS
from progressive.training.crops import CropPool, watched
from progressive.training.data import Photos
from progressive.training.features import Features
from progressive.training.loop import Log
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.rmpgc.model import Semantics
from progressive.training.rmpgc_lsgan.export import read_model, write_model
from progressive.training.rmpgc_lsgan.model import Trainee
from progressive.training.rmpgc_lsgan.phases import Weighted
from progressive.training.rmpgc_lsgan.settings import SHIPPED, Settings
from progressive.training.rmpgc_lsgan.start import start
from progressive.training.workers import Worker

START_PHOTOS = 300


class RmpgcLsgan(Recipe[Trainee, Settings]):
    """Both phases are of the same losses, weighed differently."""

    name = "rmpgc_lsgan"
    architecture = ARCHITECTURE
    kind = Settings
    shipped = SHIPPED

    def __init__(self, settings: Settings, *, out: Path, seed: int, worker: Worker, log: Log) -> None:
        super().__init__(settings, out=out, seed=seed, worker=worker, log=log)
        # Their weights are alike in shape: a run must not go on as another variant's.
        self.architecture = f"{ARCHITECTURE} {settings.variant}"  # type: ignore[misc]

    @property
    def side(self) -> int:
        return self.settings.largest_crop

    def fresh(self) -> Trainee:
        return Trainee()

    def read(self, file: Path) -> Trainee:
        return read_model(file, self.settings.variant)

    def start(self, model: Trainee, photos: Photos) -> None:
        start(model.generator, VARIANTS[self.settings.variant], photos.training[:START_PHOTOS])

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        self._pool = CropPool(photos.training, device)
        make = partial(
            Weighted,
            model=model,
            settings=self.settings,
            pool=self._pool,
            features=Features().to(device),
            importance=Semantics().to(device).importance,
            held_out=watched(photos.held_out, device),
        )
        return {name: partial(make, name) for name in self.settings.phases()}

    def write(self, out: Path, model: Trainee) -> None:
        write_model(out, model, self.settings.variant, self._pool.whole(self.settings.calibration_photos))


train = partial(carry_out, RmpgcLsgan)

"""Trains RMPGC: the transform, then the probability networks, then the synthesis.

photos -> transform -> indices -> probability networks -> bits
                          |-> values, under a condition -> inverse transform -> synthesis -> pictures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.rmpgc.backbones.multiscale.model import ARCHITECTURE
from progressive.training.data import Photos
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.rmpgc.export import fitted_coding, read_model, write_model
from progressive.training.rmpgc.model import Semantics, Trainee
from progressive.training.rmpgc.phases import PHASES
from progressive.training.rmpgc.photos import PhotoPool, watched
from progressive.training.rmpgc.settings import SHIPPED, Settings


class Rmpgc(Recipe[Trainee, Settings]):
    """Weights of a model that is resumed may be those of a smaller one (`export.take_over`)."""

    name = "rmpgc"
    architecture = ARCHITECTURE
    kind = Settings
    shipped = SHIPPED

    @property
    def side(self) -> int:
        return self.settings.largest_crop

    def fresh(self) -> Trainee:
        return Trainee()

    def read(self, file: Path) -> Trainee:
        return Trainee(*read_model(file))

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        semantics, held_out = Semantics().to(device), watched(photos.held_out, device)
        pool = self._pool = PhotoPool(photos.training, device)
        return {name: partial(stage, model, semantics, self.settings, pool, held_out) for name, stage in PHASES.items()}

    def write(self, out: Path, model: Trainee) -> None:
        photos = self._pool.whole(self.settings.calibration_photos)
        coding = fitted_coding(model.networks, model.transform, photos)
        write_model(out, model.networks, coding, model.transform, model.synthesis)


train = partial(carry_out, Rmpgc)

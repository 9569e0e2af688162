"""Trains RMPGC: the transform, the probability networks, the analysis, the synthesis.

photos -> transform and analysis -> indices -> probability networks -> bits
                          |-> values, under a condition -> inverse transform -> synthesis -> pictures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.rmpgc.backbones.multiscale.model import ARCHITECTURE, Coding
from progressive.training.data import Photos
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.rmpgc.export import coding_of, fitted_coding, read_model, write_model
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
        coding = partial(self._coding, model)
        return {
            name: partial(stage, model, semantics, self.settings, pool, coding, held_out)
            for name, stage in PHASES.items()
        }

    def write(self, out: Path, model: Trainee) -> None:
        write_model(out, model.networks, self._coding(model), model.transform, model.synthesis, model.analysis)

    def _coding(self, model: Trainee) -> Coding:
        if self.settings.keep_coding and self.out.is_file():
            return coding_of(self.out)
        return fitted_coding(model.networks, model.analyse, self._pool.whole(self.settings.calibration_photos))


train = partial(carry_out, Rmpgc)

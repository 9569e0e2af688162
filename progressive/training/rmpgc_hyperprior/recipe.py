"""Trains the hyperprior backbone of RMPGC on photos.

photos ─ encoder ─> base, enhance layer, hyperpriors ─> bits
                        ╰─ under U = 0, B, 1 ─> decoder ─> pictures ─ features, discriminators
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.rmpgc.backbones.hyperprior.model import ARCHITECTURE, CODEC
from progressive.training.cells import fit_cells
from progressive.training.crops import CropPool, watched
from progressive.training.data import Photos
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.rmpgc.model import Semantics
from progressive.training.rmpgc_hyperprior.export import fitted, read_model, write_model
from progressive.training.rmpgc_hyperprior.first import First, Rounded
from progressive.training.rmpgc_hyperprior.model import Trainee
from progressive.training.rmpgc_hyperprior.second import Second
from progressive.training.rmpgc_hyperprior.settings import SHIPPED, Settings
from progressive.training.rmpgc_hyperprior.stage import Stage

TRANSFORM_PHOTOS = 300
"""That the linear transform is taken from."""

PHASES: dict[str, type[Stage]] = {stage.stage: stage for stage in (First, Rounded, Second)}


class RmpgcHyperprior(Recipe[Trainee, Settings]):
    """One model of all rates."""

    name = CODEC
    architecture = ARCHITECTURE
    kind = Settings
    shipped = SHIPPED

    @property
    def side(self) -> int:
        return self.settings.largest_crop

    def fresh(self) -> Trainee:
        return Trainee()

    def read(self, file: Path) -> Trainee:
        return read_model(file)

    def start(self, model: Trainee, photos: Photos) -> None:
        fit_cells(model.encoder.linear, photos.training[:TRANSFORM_PHOTOS])

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        semantics, held_out = Semantics().to(device), watched(photos.held_out, device)
        pool = self._pool = CropPool(photos.training, device)
        return {name: partial(stage, model, self.settings, semantics, pool, held_out) for name, stage in PHASES.items()}

    def write(self, out: Path, model: Trainee) -> None:
        write_model(out, model, fitted(model, self._pool.whole(self.settings.calibration_photos)))


train = partial(carry_out, RmpgcHyperprior)

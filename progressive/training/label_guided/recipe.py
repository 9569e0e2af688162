"""Trains the label-guided codec on photos with label maps.

photos ─ segmentation ─> classes ─ label maps' probabilities
photos ─ encoder ─> latent, hyperprior ─> bits
                      ╰─ with classes ─> decoder ─> pictures ─ discriminators
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.label_guided.model import ARCHITECTURE
from progressive.training.cells import fit_cells
from progressive.training.data import Photos
from progressive.training.label_guided.export import fitted, read_model, unsure_below, write_model
from progressive.training.label_guided.first import First, Rounded
from progressive.training.label_guided.label_maps import LabelMaps
from progressive.training.label_guided.labels import maps_of
from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import PhotoPool, watched
from progressive.training.label_guided.pretrained import classifier_of, trunk_for_photos
from progressive.training.label_guided.second import Second
from progressive.training.label_guided.segmentation import Segmenting
from progressive.training.label_guided.settings import SHIPPED, Settings
from progressive.training.label_guided.stage import Stage
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out

PHASES: dict[str, type[Stage]] = {stage.stage: stage for stage in (Segmenting, LabelMaps, First, Rounded, Second)}


class LabelGuided(Recipe[Trainee, Settings]):
    """One model of all levels; photos are as large as their label maps."""

    name = "label_guided"
    architecture = ARCHITECTURE
    kind = Settings
    shipped = SHIPPED
    upscaling = 1.0

    @property
    def side(self) -> int:
        return self.settings.largest_crop

    def fresh(self) -> Trainee:
        return Trainee()

    def read(self, file: Path) -> Trainee:
        return read_model(file)

    def start(self, model: Trainee, photos: Photos) -> None:
        model.segmentation.features.load_state_dict(trunk_for_photos(classifier_of(self.settings.classifier)))
        fit_cells(model.linear, photos.training)

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        self._unseen = photos.held_out or photos.training
        held_out = watched(photos.held_out, maps_of(photos.held_out_files), device)
        pool = self._pool = PhotoPool(photos.training, maps_of(photos.training_files), device)
        return {name: partial(stage, model, self.settings, pool, held_out) for name, stage in PHASES.items()}

    def write(self, out: Path, model: Trainee) -> None:
        model.interpolate(self.settings.first_share)
        photos = [photo for photo, _ in self._pool.whole(self.settings.calibration_photos)]
        tables = fitted(model, photos, self.settings)
        write_model(out, model, tables, unsure_below(model, self._unseen))


train = partial(carry_out, LabelGuided)

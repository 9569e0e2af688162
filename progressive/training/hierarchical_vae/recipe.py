"""Trains the hierarchical VAE: the prior, then encoder and decoder with it, then the prior in integers.

photos, gamma -> bottom-up -> latents -> prior -> bits
                                 |-> as far as they are known -> top-down -> pictures
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.hierarchical_vae.model import ARCHITECTURE
from progressive.training.data import Photos
from progressive.training.hierarchical_vae.export import fitted, read_model, write_model
from progressive.training.hierarchical_vae.model import Trainee
from progressive.training.hierarchical_vae.phases import PHASES
from progressive.training.hierarchical_vae.photos import PhotoPool, watched
from progressive.training.hierarchical_vae.settings import SHIPPED, Settings
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out


class HierarchicalVae(Recipe[Trainee, Settings]):
    """One model of all rates, or of the range of gamma that the settings say."""

    name = "hierarchical_vae"
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

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        held_out = watched(photos.held_out, device)
        pool = self._pool = PhotoPool(photos.training, device)
        return {name: partial(stage, model, self.settings, pool, held_out) for name, stage in PHASES.items()}

    def write(self, out: Path, model: Trainee) -> None:
        photos = self._pool.whole(self.settings.calibration_photos)
        write_model(out, model, fitted(model, photos, self.settings))


train = partial(carry_out, HierarchicalVae)

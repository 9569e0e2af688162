"""Trains the recurrent codec: the linear start in closed form, the networks, then the probabilities of codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from progressive.codecs.recurrent.model import ARCHITECTURE
from progressive.training.data import Photos
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.recurrent.context import Context
from progressive.training.recurrent.export import read_model, write_model
from progressive.training.recurrent.model import Trainee
from progressive.training.recurrent.phases import Unrolled
from progressive.training.recurrent.photos import PhotoPool, watched
from progressive.training.recurrent.settings import SHIPPED, Settings
from progressive.training.recurrent.start import fit_linear


class Recurrent(Recipe[Trainee, Settings]):
    """Weights that are trained further get another model id, so they do not read streams made before."""

    name = "recurrent"
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
        fit_linear(model.networks.linear, photos.training[: self.settings.linear_photos])

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device = self.worker.device
        pool, held_out = PhotoPool(photos.training, device), watched(photos.held_out, device)
        self._pool = pool
        return {
            "short": lambda: Unrolled("short", model, self.settings, pool, held_out),
            "long": lambda: Unrolled("long", model, self.settings, pool, held_out),
            "context": lambda: Context(model, self.settings, pool, held_out),
        }

    def write(self, out: Path, model: Trainee) -> None:
        write_model(out, model, Context(model, self.settings, self._pool, ()).coded)


train = partial(carry_out, Recurrent)

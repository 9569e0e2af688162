"""Trains the dual autoencoder: linear parts in closed form, tables by counting, the smoothing filter by gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from progressive.codecs.dual_autoencoder.layout import BLOCK
from progressive.codecs.dual_autoencoder.model import Model
from progressive.files import write_atomically
from progressive.training.data import Photos
from progressive.training.dual_autoencoder.linear import Tensors, fit_linear
from progressive.training.dual_autoencoder.phases import Filtering, Trainee
from progressive.training.dual_autoencoder.settings import SHIPPED, Settings
from progressive.training.dual_autoencoder.tables import fit_tables
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out

FILTER = "filter."
"""Prefix of the filter's tensors in the weight file."""


class DualAutoencoder(Recipe[Trainee, Settings]):
    """Of weights that are resumed the linear parts and tables stay, so that streams made with them stay readable."""

    name = "dual_autoencoder"
    kind = Settings
    shipped = SHIPPED

    @property
    def side(self) -> int:
        return self.settings.filter.crop * BLOCK

    def fresh(self) -> Trainee:
        return Trainee()

    def read(self, file: Path) -> Trainee:
        found = Model.load(file)
        model = Trainee({name: t for name, t in found.tensors.items() if not name.startswith(FILTER)})
        if found.filter:
            model.filter.load_state_dict({name: torch.from_numpy(t) for name, t in found.filter.items()})
        return model

    def start(self, model: Trainee, photos: Photos) -> None:
        rng = np.random.default_rng(self.seed)
        model.tensors = fit_linear(photos.training, self.settings, rng, self.log)
        model.tensors |= fit_tables(photos.training, model.tensors, rng, self.log)

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        return {"filter": lambda: Filtering(model, self.settings.filter, photos.training, photos.held_out)}

    def write(self, out: Path, model: Trainee) -> None:
        smoothing = {f"{FILTER}{name}": t.numpy().astype(np.float16) for name, t in model.filter.state_dict().items()}
        tensors: Tensors = model.tensors | smoothing
        write_atomically(out, save({name: np.ascontiguousarray(t) for name, t in sorted(tensors.items())}))


train = partial(carry_out, DualAutoencoder)

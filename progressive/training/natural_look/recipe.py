"""Trains the natural look of RMPGC's pictures: the decoder's last network again, for the same streams.

photos -> the codec as it is -> values, under a condition -> linear picture -> synthesis -> pictures, judged
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path

from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.natural import NATURAL, load_natural
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import Synthesis
from progressive.training.data import Photos
from progressive.training.features import Features
from progressive.training.natural_look.export import write_look
from progressive.training.natural_look.model import Trainee
from progressive.training.natural_look.phases import Look
from progressive.training.natural_look.settings import SHIPPED, Settings
from progressive.training.phase import Phase
from progressive.training.recipe import Recipe, carry_out
from progressive.training.rmpgc.coded import CodedPool
from progressive.training.rmpgc.model import Semantics
from progressive.training.rmpgc.photos import PhotoPool, watched
from progressive.training.rmpgc.received import Reception


class NaturalLook(Recipe[Trainee, Settings]):
    """It begins with the faithful synthesis of the committed weights."""

    name = "natural_look"
    architecture = NATURAL
    kind = Settings
    shipped = SHIPPED

    @property
    def side(self) -> int:
        return self.settings.largest_crop

    def fresh(self) -> Trainee:
        synthesis = Synthesis()
        synthesis.load_state_dict(self._faithful.synthesis.state_dict())
        return Trainee(synthesis)

    def read(self, file: Path) -> Trainee:
        return Trainee(load_natural(self._faithful.linear_id, file))

    def phases(self, model: Trainee, photos: Photos) -> Mapping[str, Callable[[], Phase[Trainee]]]:
        device, faithful, settings = self.worker.device, self._faithful, self.settings
        pool, semantics = PhotoPool(photos.training, device), Semantics().to(device)
        transform = faithful.transform.to(device)
        crops = CodedPool(
            pool.photos, settings.coded_crops, settings.largest_crop, faithful.coding, faithful.analyse, seed=self.seed
        )
        reception = Reception(crops, transform, semantics.importance, device)
        features, held_out = Features().to(device), watched(photos.held_out, device)
        make = partial(Look, model=model, settings=settings, features=features, reception=reception, held_out=held_out)
        return {name: partial(make, name) for name in settings.phases()}

    def write(self, out: Path, model: Trainee) -> None:
        write_look(out, model.synthesis, self._faithful.linear_id)

    @cached_property
    def _faithful(self) -> Model:
        return Model.load()


train = partial(carry_out, NaturalLook)

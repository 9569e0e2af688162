"""What the phases have in common: crops with label maps, and photos to watch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch

from progressive.training.label_guided.model import Trainee
from progressive.training.label_guided.photos import Batch, PhotoPool
from progressive.training.label_guided.settings import PhaseSettings, Settings
from progressive.training.phase import Loss, Phase


class Stage(Phase[Trainee]):
    """A phase of the codec.

    Args:
        pool: photos to train on.
        held_out: photos to watch, of whole blocks.
    """

    stage: ClassVar[str]
    own: PhaseSettings

    def __init__(self, model: Trainee, settings: Settings, pool: PhotoPool, held_out: Sequence[Batch] = ()) -> None:
        super().__init__(self.stage, model, settings.phase(self.stage))
        self.settings, self.pool, self.held_out = settings, pool, held_out

    def loss(self, rng: np.random.Generator) -> Loss:
        batch = self.pool.draw(rng, self.own.batch, self.own.crop, self.flat_share)
        with torch.autocast(batch.photos.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
            return self.loss_of(batch, rng)

    @property
    def flat_share(self) -> float:
        """Of crops of a single colour."""
        return 0.0

    @abstractmethod
    def loss_of(self, batch: Batch, rng: np.random.Generator) -> Loss:
        """The loss of a batch."""

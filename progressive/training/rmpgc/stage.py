"""What all phases of RMPGC's training share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.training.phase import Phase
from progressive.training.rmpgc.model import Semantics, Trainee
from progressive.training.rmpgc.photos import PhotoPool
from progressive.training.rmpgc.settings import PhaseSettings, Settings

FIRST_LOOK = 32
"""Crops that starting values are taken from."""

ERROR_FLOOR = 1e-6
"""Mean squared error below which nothing is gained (60 dB)."""


class Stage(Phase[Trainee]):
    """A phase of the codec; photos are RGB in 0..1, [N, 3, H, W].

    Args:
        semantics: what pictures are compared by.
        pool: photos to train on.
        coding: how the codec codes with the model as it is.
        held_out: to watch, as `photos.watched` gives them.
    """

    stage: ClassVar[str]
    own: PhaseSettings

    def __init__(
        self,
        model: Trainee,
        semantics: Semantics,
        settings: Settings,
        pool: PhotoPool,
        coding: Callable[[], Coding],
        held_out: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(self.stage, model, settings.phase(self.stage))
        self.semantics, self.settings, self.pool, self.held_out = semantics, settings, pool, held_out
        self.coding = coding

    def configure(self, model: Trainee, step: int) -> None:
        model.networks.set_rounding(self.rounding(step))

    def rounding(self, step: int) -> str:
        """How the probability networks compute at a step (`Conv.rounding`)."""
        return "none"

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        return self.quality(model) if self.held_out else ""

    @abstractmethod
    def quality(self, model: Trainee) -> str:
        """How good the model is on the photos set aside, of which there are some."""

    def _mixed(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self.settings.mixed_precision)


def turned(photo: Tensor) -> Tensor:
    """A photo [1, 3, H, W] in its colours."""
    return colours_of(photo).turned(photo)


def colours_of(photo: Tensor) -> Colours:
    return Colours.of((photo[0] * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())

"""The phases of the natural look: feature matching, then discriminators along with it.

Encoder, probability networks and transform stay as they are: the same bytes, the same latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn

from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import STATES
from progressive.training.discriminators import deceiving, frozen, telling_apart
from progressive.training.features import Features
from progressive.training.natural_look.model import Trainee
from progressive.training.natural_look.settings import PhaseSettings, Settings
from progressive.training.phase import Loss, Phase
from progressive.training.rmpgc.coded import CodedPhoto
from progressive.training.rmpgc.received import Reception

WATCHED_LEVELS = (0, 2, 4, LEVELS)

ERROR_FLOOR = 1e-5
"""Mean squared error below which nothing is gained (50 dB)."""


class Look(Phase[Trainee]):
    """A weighted sum of feature matching, squared error, and what the discriminators say (RMPGC, Eq. 8).

    The squared error counts by its logarithm: where much is known, little may be given away.

    Args:
        features: that pictures are compared by.
        reception: draws what receivers have of photos.
        held_out: photos to watch, as `photos.watched` gives them.
    """

    own: PhaseSettings

    def __init__(
        self,
        name: str,
        model: Trainee,
        settings: Settings,
        features: Features,
        reception: Reception,
        held_out: Sequence[Tensor] = (),
    ) -> None:
        super().__init__(name, model, settings.phase(name))
        self.settings, self.features, self.reception, self.held_out = settings, features, reception, held_out

    @property
    def trained(self) -> list[nn.Module]:
        return [self.model.synthesis, *([self.model.discriminators] if self._adversarial else [])]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        rates = (1.0, self.settings.discriminator_rate)
        return [(list(module.parameters()), rate) for module, rate in zip(self.trained, rates, strict=False)]

    def loss(self, rng: np.random.Generator) -> Loss:
        highest = self.settings.low_level if rng.random() < self.settings.low_share else LEVELS
        has = self.reception.draw(rng, self.own.batch, highest=highest)
        with torch.autocast(has.photos.device.type, torch.bfloat16, enabled=self.settings.mixed_precision):
            pictures = self.model.synthesis(has.linear, has.states)
            matching = self.features.distance(pictures, has.photos).mean()
            errors = (pictures.float() - has.photos).square().mean((1, 2, 3))
            total = self.own.feature_weight * matching
            total = total + self.own.error_weight * torch.log(errors + ERROR_FLOOR).mean()
            figures = {"features": matching.detach(), "MSE": errors.detach().mean()}
            if self._adversarial:
                judged, known = self.model.discriminators, has.states / (STATES - 1)
                with frozen(judged):
                    deceived = deceiving(judged.verdicts(pictures, known))
                told = telling_apart(judged.verdicts(has.photos, known), judged.verdicts(pictures.detach(), known))
                total = total + self.own.adversarial_weight * deceived + told
                figures |= {"deceiving": deceived.detach(), "telling apart": told.detach()}
        return Loss(total, figures)

    @property
    def _adversarial(self) -> bool:
        return self.own.adversarial_weight > 0

    @torch.no_grad()
    def report(self, model: Trainee) -> str:
        if not self.held_out:
            return ""
        lines = []
        for level in WATCHED_LEVELS:
            figures = [self._figures(model, photo, level) for photo in self._watched]
            apart, quality = np.mean(figures, 0)
            lines.append(f"level {level}: features {apart:.4f} {quality:.2f} dB")
        return ", ".join(lines)

    def _figures(self, model: Trainee, photo: CodedPhoto, level: int) -> tuple[float, float]:
        """The features' distance of a photo's picture at a level, and its PSNR."""
        has = self.reception.at_level(photo, level)
        picture = model.synthesis(has.linear, has.states).clamp(0, 1)
        error = float((picture - has.photos).square().mean())
        return float(self.features.distance(picture, has.photos).mean()), -10 * np.log10(error + 1e-10)

    @cached_property
    def _watched(self) -> list[CodedPhoto]:
        return self.reception.watched(self.held_out)

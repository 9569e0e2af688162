"""The second phase: the decoder alone, for squared error, features, and what discriminators say (RMPGC Eq. 35).

Encoder and priors stay as they are: the same bytes, better pictures. With `adversarial_weight` 0 it is case B of
RMPGC's section V-H, without `feature_weight` as well case A; case C is B and then the discriminators.

Legend: N photos of a batch; R x K blocks.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from progressive.training.crops import Crops
from progressive.training.discriminators import deceiving, frozen, telling_apart
from progressive.training.phase import Loss
from progressive.training.rmpgc_hyperprior.model import Trainee
from progressive.training.rmpgc_hyperprior.stage import Stage

LOSSES = ("features", "deceiving")
"""Losses that have a history, by their places in `Trainee.usual`."""

CHOSEN = 0.33
"""The rounding that comes nearest to the encoder's choices, which take more indices for zero than the quantiser."""

HISTORY = 0.99
"""Decay a step of what losses usually are."""

LEAST_USUAL = 1e-6

ERROR_FLOOR = 1e-5
"""Mean squared error below which nothing is gained (50 dB)."""


class Second(Stage):
    """Losses of one size, then weighted: each divided by its historical mean (RMPGC section V-A).

    The squared error counts by its logarithm, which divides that of each photo by itself.
    """

    stage = "second"

    @property
    def trained(self) -> list[nn.Module]:
        adversarial = self.settings.adversarial_weight > 0
        return [self.model.decoder.synthesis, *([self.model.discriminators] if adversarial else [])]

    def groups(self) -> list[tuple[list[nn.Parameter], float]]:
        rates = (1.0, self.settings.discriminator_share)
        return [(list(module.parameters()), rate) for module, rate in zip(self.trained, rates, strict=False)]

    def prepare(self, rng: np.random.Generator, *, fresh: bool) -> None:
        self.model.usual.zero_()

    def configure(self, model: Trainee, step: int) -> None:
        model.priors.set_rounding("straight-through")

    def loss_of(self, crops: Crops, rng: np.random.Generator) -> Loss:
        photos, settings = crops.photos, self.settings
        blocks = self.drawn_blocks(photos, rng)
        with torch.no_grad():
            encoded = self.model.encoded(photos, rounding=CHOSEN)
        picture = self.model.pictures(encoded, blocks)
        errors = (picture - photos).square().mean((1, 2, 3))
        total = settings.mse_weight * torch.log(errors + ERROR_FLOOR).mean()
        figures = {"PSNR dB": -10 * torch.log10(errors.detach() + ERROR_FLOOR).mean()}
        # A picture of a single colour has no texture to be right: features and discriminators would make one up.
        real = torch.nonzero(~crops.flat)[:, 0]
        if not len(real):
            return Loss(total, figures)
        made, true = picture[real], photos[real]
        if settings.feature_weight:
            features = self.features.distance(made, true).mean()
            total = total + settings.feature_weight * self._scaled("features", features)
            figures["features"] = features.detach()
        if settings.adversarial_weight:
            deceived, told = self._adversarial(made, true, blocks[real])
            total = total + settings.adversarial_weight * self._scaled("deceiving", deceived) + told
            figures |= {"deceiving": deceived.detach(), "telling apart": told.detach()}
        return Loss(total, figures)

    def _adversarial(self, picture: Tensor, photos: Tensor, blocks: Tensor) -> tuple[Tensor, Tensor]:
        """The decoder's loss (Eq. 7) and the discriminators' (Eq. 4); neither reaches the other's weights."""
        judges, known = self.model.discriminators, blocks.float()
        with frozen(judges):
            deceived = deceiving(judges.verdicts(picture, known))
        return deceived, telling_apart(judges.verdicts(photos, known), judges.verdicts(picture.detach(), known))

    def _scaled(self, name: str, loss: Tensor) -> Tensor:
        """A loss divided by its historical mean, this one included."""
        place, usual = LOSSES.index(name), self.model.usual
        with torch.no_grad():
            before = usual[place] if usual[place] > 0 else loss
            usual[place] = HISTORY * before + (1 - HISTORY) * loss
        return loss / usual[place].clone().clamp(min=LEAST_USUAL)

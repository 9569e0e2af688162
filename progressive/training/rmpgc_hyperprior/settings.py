"""The settings of the hyperprior backbone's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


PhaseSettings = settings.CropSettings


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        base_mse, full_mse: lambda_MSE in bits a pixel for a unit of mean squared error, of samples 0..255, where the
            base is all that is known and where the enhance layer is known as well.
        flat_share: of samples of a single colour, which have to stay so.
        first_feature_weight: of feature matching beside rate and squared error in the first phase, relative to them.
        mse_weight, feature_weight, adversarial_weight: of the second phase's losses, each divided by what it usually is
            (lambda_SFM and lambda_GAN of RMPGC Eq. 35); 0 leaves one out.
        discriminator_share: the discriminators' learning rate, as a share of the phase's.
        calibration_photos: that the stored tables are counted on.
        mixed_precision: bfloat16 in the networks.
        first, rounded, second: the phases.
    """

    base_mse: float
    full_mse: float
    flat_share: float
    first_feature_weight: float
    mse_weight: float
    feature_weight: float
    adversarial_weight: float
    discriminator_share: float
    calibration_photos: int
    mixed_precision: bool
    first: PhaseSettings
    rounded: PhaseSettings
    second: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of all phases: the least side of a photo that they can be trained on, in pixels."""
        return max(phase.crop for phase in (self.first, self.rounded, self.second))

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield not 0 < self.base_mse <= self.full_mse, "base_mse and full_mse must rise from above 0"
        yield not 0 <= self.flat_share <= 1, "flat_share must lie in 0..1"
        weights = (self.first_feature_weight, self.mse_weight, self.feature_weight, self.adversarial_weight)
        yield min(weights) < 0, "weights of losses must not be negative"
        yield not max(weights[1:]) > 0, "one weight of the second phase's losses must be above 0"
        yield self.discriminator_share <= 0, "learning rates must be above 0"
        yield self.calibration_photos < 1, "numbers of photos must be above 0"

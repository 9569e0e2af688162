"""The settings of the LS-GAN backbone's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.codecs.rmpgc.backbones.lsgan.variants import VARIANTS
from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


@dataclass(frozen=True, slots=True)
class PhaseSettings(settings.CropSettings):
    """Settings of a phase (RMPGC Eq. 18, 24 and 35); each term of its loss is divided by its historical mean.

    Fields:
        error_weight, feature_weight, adversarial_weight, rate_weight: the paper's lambda_MSE, lambda_SFM, lambda_GAN
            and lambda_R.
    """

    error_weight: float
    feature_weight: float
    adversarial_weight: float
    rate_weight: float

    def problems(self) -> Problems:
        yield from settings.CropSettings.problems(self)
        weights = self.error_weight, self.feature_weight, self.adversarial_weight, self.rate_weight
        yield min(weights) < 0 or not any(weights[:3]), "weights must not be negative, and one of a picture above 0"


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        variant: mpgc-1, mpgc-2 or rmpgc.
        sigma: how closely soft levels follow the nearest ones (RMPGC Eq. 11).
        flat_share: of samples of a single colour, which have to stay so.
        flat_weight: of their squared error, beside that of the others.
        discriminator_rate: the learning rate of the discriminators, as a share of the generator's.
        calibration_photos: that the stored table is counted on.
        mixed_precision: bfloat16 in the networks.
        reconstruction: without discriminators.
        adversarial: with them.
    """

    variant: str
    sigma: float
    flat_share: float
    flat_weight: float
    discriminator_rate: float
    calibration_photos: int
    mixed_precision: bool
    reconstruction: PhaseSettings
    adversarial: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of both phases: the least side of a photo that they can be trained on, in pixels."""
        return max(self.reconstruction.crop, self.adversarial.crop)

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield self.variant not in VARIANTS, f"variant must be one of {', '.join(VARIANTS)}"
        yield self.sigma <= 0, "sigma must be above 0"
        yield not 0 <= self.flat_share < 1, "flat_share must be at least 0 and below 1"
        yield self.flat_weight < 0, "weights must not be negative"
        yield self.discriminator_rate <= 0, "learning rates must be above 0"
        yield self.calibration_photos < 1, "numbers of photos must be above 0"

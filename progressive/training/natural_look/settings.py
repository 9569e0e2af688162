"""The settings of the natural look's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS
from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


@dataclass(frozen=True, slots=True)
class PhaseSettings(settings.CropSettings):
    """Settings of a phase (RMPGC, Eq. 8).

    Fields:
        feature_weight, adversarial_weight, error_weight: of feature matching, of what the discriminators say, and of
            the squared error; the paper's lambda_SFM, lambda_GAN, lambda_MSE.
    """

    feature_weight: float
    adversarial_weight: float
    error_weight: float

    def problems(self) -> Problems:
        yield from settings.CropSettings.problems(self)
        weights = self.feature_weight, self.adversarial_weight, self.error_weight
        yield min(weights) < 0 or not any(weights), "weights must not be negative, and one of them above 0"


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        coded_crops: that are learned from; each is kept at every level, 27 bytes a pixel.
        low_share: of batches at low rates, none of whose blocks are above the level `low_level`.
        discriminator_rate: the learning rate of the discriminators, as a share of the synthesis's.
        mixed_precision: bfloat16 in all networks.
        features: feature matching alone (the paper's case B).
        adversarial: discriminators along with it (case C).
    """

    coded_crops: int
    low_share: float
    low_level: int
    discriminator_rate: float
    mixed_precision: bool
    features: PhaseSettings
    adversarial: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of both phases: the least side of a photo that they can be trained on, in pixels."""
        return max(self.features.crop, self.adversarial.crop)

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield self.coded_crops < 1, "coded_crops must be above 0"
        yield not 0 <= self.low_share <= 1, "low_share must lie in 0..1"
        yield not 1 <= self.low_level <= LEVELS, f"low_level is 1 to {LEVELS}"
        yield self.discriminator_rate <= 0, "learning rates must be above 0"

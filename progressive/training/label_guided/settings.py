"""The settings of the label-guided codec's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.codecs.label_guided.steps import FINEST
from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"

NO_CLASSIFIER = "none"


PhaseSettings = settings.CropSettings


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        classifier: weights of a SqueezeNet 1.1, which the segmentation starts from and whose features are compared;
            where it is usually found if empty, a random network if `none`.
        lowest_level, highest_level: range that the quantiser's level is drawn from, 0..63.
        blank_share: of samples whose label map is left out.
        truncated_share: of samples that lack the last groups of some blocks.
        flat_share: of samples of a single colour, which have to stay so.
        feature_weight, mse_weight, adversarial_weight: of the second stage's losses (Eq. 13); 0 leaves one out.
        semantic_weight: of what the segmentation makes of pictures beside the label map, which the paper does not have.
        first_share: of the decoder's weights that are in the end those that the second stage began with.
        discriminator_share: the discriminators' learning rate, as a share of the phase's.
        calibration_photos: that the stored tables are counted on.
        mixed_precision: bfloat16 in the networks.
        segmentation, labels, first, rounded, second: the phases.
    """

    classifier: str
    lowest_level: int
    highest_level: int
    blank_share: float
    truncated_share: float
    flat_share: float
    feature_weight: float
    mse_weight: float
    adversarial_weight: float
    semantic_weight: float
    first_share: float
    discriminator_share: float
    calibration_photos: int
    mixed_precision: bool
    segmentation: PhaseSettings
    labels: PhaseSettings
    first: PhaseSettings
    rounded: PhaseSettings
    second: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of all phases: the least side of a photo that they can be trained on, in pixels."""
        phases = (self.segmentation, self.labels, self.first, self.rounded, self.second)
        return max(phase.crop for phase in phases)

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield not 0 <= self.lowest_level <= self.highest_level <= FINEST, f"levels must rise within 0..{FINEST}"
        shares = (self.blank_share, self.truncated_share, self.flat_share, self.first_share)
        yield (
            min(shares) < 0 or max(shares) > 1,
            "blank_share, truncated_share, flat_share, first_share must lie in 0..1",
        )
        weights = (self.feature_weight, self.mse_weight, self.adversarial_weight, self.semantic_weight)
        yield min(weights) < 0, "weights of losses must not be negative"
        yield not max(weights) > 0, "one weight of a loss must be above 0"
        yield self.discriminator_share <= 0, "learning rates must be above 0"
        yield self.calibration_photos < 1, "numbers of photos must be above 0"

"""The settings of RMPGC's recipe."""

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
        calibration_photos: that the stored tables are counted on.
        coded_crops: that the synthesis learns from; each is kept at every level, 27 bytes a pixel.
        base_weight, look_weight: of the base's bits and the look's beside a level's, in the probability networks' loss.
        rounded_share: of the entropy phase that computes with rounded weights.
        feature_weight: of the logarithm of the features' squared distance beside that of the pixels'.
        feature_samples: photos of a batch whose features are compared.
        keep_coding: the tables, tiers and points of the weights that a run goes on from stay, and so does the model's
            id: what was coded before opens as before. Only for runs that train neither transform nor entropy.
        mixed_precision: bfloat16 in analysis and synthesis.
        context, transform, entropy, analysis, synthesis: the phases.
    """

    calibration_photos: int
    coded_crops: int
    base_weight: float
    look_weight: float
    rounded_share: float
    feature_weight: float
    feature_samples: int
    keep_coding: bool
    mixed_precision: bool
    context: PhaseSettings
    transform: PhaseSettings
    entropy: PhaseSettings
    analysis: PhaseSettings
    synthesis: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of all phases: the least side of a photo that they can be trained on, in pixels."""
        return max(phase.crop for phase in (self.context, self.transform, self.entropy, self.analysis, self.synthesis))

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield min(self.calibration_photos, self.coded_crops) < 1, "numbers of photos must be above 0"
        yield min(self.base_weight, self.look_weight) < 0, "weights must not be negative"
        yield not 0 <= self.rounded_share <= 1, "rounded_share must lie in 0..1"
        changed = {"transform", "entropy"} & set(self.resumed_phases)
        yield self.keep_coding and bool(changed), f"keep_coding: {' and '.join(sorted(changed))} would change it"
        yield min(self.feature_weight, self.feature_samples) < 0, "feature settings must not be negative"

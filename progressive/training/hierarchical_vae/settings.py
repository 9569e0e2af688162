"""The settings of the hierarchical VAE's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.codecs.hierarchical_vae.rates import FINEST
from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


PhaseSettings = settings.CropSettings


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        lowest_gamma, highest_gamma: range that gamma is drawn from, 0..255; one rate if they are equal.
        si_ssim_weight: share of 1 - SI-SSIM in the distortion, 0..1; the rest is the squared error.
        meaning_share, random_share: of samples whose gamma follows the meaning of the photo, or a random map.
        truncated_share: of samples that lack the last latents of some blocks.
        rounded_share: of the joint phase, its last steps, in which the prior computes in integers already.
        calibration_photos: that the stored tables are counted on.
        mixed_precision: bfloat16 in the networks.
        prior, joint, rounded: the phases.
    """

    lowest_gamma: int
    highest_gamma: int
    si_ssim_weight: float
    meaning_share: float
    random_share: float
    truncated_share: float
    rounded_share: float
    calibration_photos: int
    mixed_precision: bool
    prior: PhaseSettings
    joint: PhaseSettings
    rounded: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of all phases: the least side of a photo that they can be trained on, in pixels."""
        return max(phase.crop for phase in (self.prior, self.joint, self.rounded))

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield not 0 <= self.lowest_gamma <= self.highest_gamma <= FINEST, f"gammas must rise within 0..{FINEST}"
        yield not 0 <= self.si_ssim_weight <= 1, "si_ssim_weight must lie in 0..1"
        yield min(self.meaning_share, self.random_share, self.truncated_share) < 0, "shares must not be negative"
        yield self.meaning_share + self.random_share > 1, "meaning_share and random_share are more than all samples"
        yield self.truncated_share > 1, "truncated_share must lie in 0..1"
        yield not 0 <= self.rounded_share <= 1, "rounded_share must lie in 0..1"
        yield self.calibration_photos < 1, "numbers of photos must be above 0"

"""The settings of the recurrent codec's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.codecs.recurrent.layout import CELL, ITERATIONS
from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


@dataclass(frozen=True, slots=True)
class PhaseSettings(settings.CropSettings):
    """Settings of a phase, whose samples are crops of whole cells."""

    unit = CELL


@dataclass(frozen=True, slots=True)
class UnrolledSettings(PhaseSettings):
    """Settings of a phase of the networks.

    Fields:
        latest: highest number of iterations that come before those that are trained.
        late_share: of the steps that begin after some iterations; the others begin with the first, which every
            picture needs.
        unrolled: iterations that gradients go back through.
    """

    latest: int
    late_share: float
    unrolled: int

    def problems(self) -> Problems:
        yield from PhaseSettings.problems(self)
        wrong = self.unrolled < 1 or self.latest < 0 or self.latest + self.unrolled > ITERATIONS
        yield wrong, f"latest + unrolled are 1 to {ITERATIONS} iterations"
        yield not 0 <= self.late_share <= 1, "late_share must lie in 0..1"


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        linear_photos: that the linear start is found on.
        coded_crops: that probabilities are learned from and counted on; each is coded once.
        masked_share: of the steps that also learn from codes of which some cells have fewer iterations.
        rounded_share: of the context phase that computes with rounded weights.
        mixed_precision: bfloat16 in the networks.
        short, long: phases of the networks, of few iterations and of many.
        context: the phase of the probability network.
    """

    linear_photos: int
    coded_crops: int
    masked_share: float
    rounded_share: float
    mixed_precision: bool
    short: UnrolledSettings
    long: UnrolledSettings
    context: PhaseSettings

    @property
    def largest_crop(self) -> int:
        """Of all phases: the least side of a photo that they can be trained on, in pixels."""
        return max(phase.crop for phase in (self.short, self.long, self.context))

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield min(self.linear_photos, self.coded_crops) < 1, "numbers of photos must be above 0"
        yield not 0 <= self.masked_share <= 1 or not 0 <= self.rounded_share <= 1, "shares must lie in 0..1"

"""The settings of the dual autoencoder's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


@dataclass(frozen=True, slots=True)
class PhaseSettings(settings.PhaseSettings):
    """Settings of the phase.

    Fields:
        crop: side of a sample in blocks of 8 pixels.
    """

    crop: int

    def problems(self) -> Problems:
        yield from settings.PhaseSettings.problems(self)
        yield self.crop < 1, "crops must have at least 1 block"


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        blocks: of each kind that fit the experts, at most.
        rounds: alternations of assignment and principal components.
        filter: the phase that trains the smoothing filter.
    """

    blocks: int
    rounds: int
    filter: PhaseSettings

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield min(self.blocks, self.rounds) < 1, "blocks and rounds must be above 0"

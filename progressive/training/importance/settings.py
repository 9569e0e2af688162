"""The settings of the importance network's recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from progressive.training import settings
from progressive.training.settings import Problems

SHIPPED = Path(__file__).parent / "settings.toml"


@dataclass(frozen=True, slots=True)
class PhaseSettings(settings.PhaseSettings):
    """Settings of the phase; `learning_rate` is the head's.

    Fields:
        feature_rate: the learning rate of the features, which start from good ones.
    """

    feature_rate: float

    def problems(self) -> Problems:
        yield from settings.PhaseSettings.problems(self)
        yield self.feature_rate < 0, "feature_rate must not be negative"


@dataclass(frozen=True, slots=True)
class Settings(settings.Settings):
    """Settings of a run.

    Fields:
        teacher: the file of the classifier's weights; if it is empty, `progressive.semantics.classifier.find_weights`
            finds one.
        views: of each photo that the teacher looks at.
        distillation: the phase.
    """

    teacher: str
    views: int
    distillation: PhaseSettings

    def problems(self) -> Problems:
        yield from settings.Settings.problems(self)
        yield self.views < 1, "views must be above 0"

"""The settings of RMPGC's recipe, read from a TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from progressive.codecs.rmpgc.layout import BLOCK
from progressive.errors import UsageError
from progressive.files import read_bytes

SHIPPED = Path(__file__).parent / "rmpgc.toml"
PHASES = ("context", "transform", "entropy", "synthesis")
PROFILES = ("cpu", "gpu")

_MAX_SETTINGS_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class PhaseSettings:
    """Settings of a phase.

    Fields:
        steps: gradient steps; a phase of none is left out.
        batch: crops a step and process.
        crop: their side in pixels, a multiple of 64.
        learning_rate: the highest, after the warm-up.
    """

    steps: int
    batch: int
    crop: int
    learning_rate: float


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a run.

    Fields:
        photos: to train on, at most.
        held_out: photos set aside to watch the progress on, unless they are given apart.
        calibration_photos: that the stored tables are counted on.
        coded_crops: that the synthesis learns from; each is kept at every level, 27 bytes a pixel.
        base_weight, look_weight: of the base's bits and the look's beside a level's, in the probability networks' loss.
        rounded_share: of the entropy phase that computes with rounded weights.
        feature_weight: of the logarithm of the features' squared distance beside that of the pixels'.
        feature_samples: photos of a batch whose features are compared.
        averaging: decay a step of the moving average of the weights.
        warm_up: steps until the learning rate is at its highest.
        report, checkpoint: steps between lines of the log and between checkpoints.
        mixed_precision: bfloat16 in analysis and synthesis.
        resumed_phases: those of a run that goes on from finished weights.
        resumed_rate: its learning rates, as a share of the usual ones.
        context, transform, entropy, synthesis: the phases.
    """

    photos: int
    held_out: int
    calibration_photos: int
    coded_crops: int
    base_weight: float
    look_weight: float
    rounded_share: float
    feature_weight: float
    feature_samples: int
    averaging: float
    warm_up: int
    report: int
    checkpoint: int
    mixed_precision: bool
    resumed_phases: tuple[str, ...]
    resumed_rate: float
    context: PhaseSettings
    transform: PhaseSettings
    entropy: PhaseSettings
    synthesis: PhaseSettings

    def phase(self, name: str) -> PhaseSettings:
        """Settings of the phase of this name."""
        found: PhaseSettings = getattr(self, name)
        return found

    def limited(self, *, photos: int | None, steps: int | None) -> Settings:
        """With another number of photos, and of steps in every phase, where given."""
        settings = self if photos is None else replace(self, photos=photos)
        if steps is None:
            return settings
        phases: dict[str, Any] = {name: replace(self.phase(name), steps=steps) for name in PHASES}
        return replace(settings, **phases)


def read_settings(file: Path, profile: str) -> Settings:
    """A profile of a settings file; raises UsageError if it cannot be read or is not complete and sensible."""
    if profile not in PROFILES:
        raise UsageError(f"unknown profile {profile!r}: use one of {', '.join(PROFILES)}")
    try:
        tables = tomllib.loads(read_bytes(file, limit=_MAX_SETTINGS_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the settings {file}: {error}") from error
    if not isinstance(tables.get(profile), dict):
        raise UsageError(f"{file} has no table [{profile}]: see {SHIPPED}")
    values = {key: value for key, value in tables.items() if key not in PROFILES} | tables[profile]
    phases = {name: _filled(PhaseSettings, values.pop(name, {}), f"{file}, [{profile}.{name}]") for name in PHASES}
    settings = _filled(Settings, values | phases, f"{file}, [{profile}]")
    _check(settings, file)
    return settings


T = TypeVar("T")


def _filled(kind: type[T], values: object, where: str) -> T:
    """A settings object of a table, every field of it given and of the right type."""
    if not isinstance(values, dict):
        raise UsageError(f"{where} is no table: see {SHIPPED}")
    expected = {field.name: str(field.type) for field in fields(kind)}  # type: ignore[arg-type]
    odd = sorted(set(expected) ^ set(values))
    if odd:
        raise UsageError(f"{where}: {odd[0]} is {'missing' if odd[0] in expected else 'no setting'}: see {SHIPPED}")
    return kind(**{name: _typed(value, expected[name], f"{where}: {name}") for name, value in values.items()})


def _typed(value: Any, kind: str, where: str) -> Any:
    if kind.startswith("tuple") and isinstance(value, list):
        item = kind.removeprefix("tuple[").removesuffix(", ...]")
        return tuple(_typed(v, item, where) for v in value)
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value).__name__ != kind:
        raise UsageError(f"{where} is {value!r}, which is no {kind}: see {SHIPPED}")
    return value


def _check(settings: Settings, file: Path) -> None:
    """Raises UsageError unless every number is within its range."""
    each = [settings.phase(name) for name in PHASES]
    for wrong, what in (
        (
            min(settings.photos, settings.calibration_photos, settings.coded_crops) < 1 or settings.held_out < 0,
            "numbers of photos must be above 0",
        ),
        (min(settings.base_weight, settings.look_weight) < 0, "weights must not be negative"),
        (
            min(settings.report, settings.checkpoint, settings.warm_up) < 1,
            "report, checkpoint, warm_up must be above 0",
        ),
        (not 0 <= settings.rounded_share <= 1, "rounded_share must lie in 0..1"),
        (not 0 <= settings.averaging < 1, "averaging must lie in 0..1"),
        (settings.feature_weight < 0 or settings.feature_samples < 0, "feature settings must not be negative"),
        (not set(settings.resumed_phases) <= set(PHASES), f"resumed_phases are some of {', '.join(PHASES)}"),
        (settings.resumed_rate <= 0 or any(p.learning_rate <= 0 for p in each), "learning rates must be above 0"),
        (any(p.steps < 0 or p.batch < 1 for p in each), "steps must not be negative and a batch has at least 1 crop"),
        (any(p.crop < BLOCK or p.crop % BLOCK for p in each), f"crops must be multiples of {BLOCK} pixels"),
    ):
        if wrong:
            raise UsageError(f"{file}: {what}")

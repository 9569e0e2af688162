"""Settings of a recipe: what all have, and how they are read from a TOML file and changed by `key=value`.

A file holds every setting of a kind (a subclass of `Settings`), a phase's in a table of its name. Other tables are
profiles: what stands above them holds for all, and what a profile repeats replaces it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar, get_args, get_origin, get_type_hints

from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.segments.tiles import BLOCK
from progressive.suggestions import use_one_of
from progressive.training.optimisers import OPTIMISERS

_MAX_SETTINGS_BYTES = 2**20

Problems = Iterator[tuple[bool, str]]
"""Whether something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class PhaseSettings:
    """Settings that every phase has.

    Fields:
        steps: gradient steps; a phase of none is left out.
        batch: samples a step and process.
        learning_rate: the highest, after the warm-up.
    """

    steps: int
    batch: int
    learning_rate: float

    def problems(self) -> Problems:
        """What may be wrong with the values."""
        yield self.steps < 0 or self.batch < 1, "steps must not be negative and a batch has at least 1 sample"
        yield not self.learning_rate > 0, "learning rates must be above 0"


@dataclass(frozen=True, slots=True)
class CropSettings(PhaseSettings):
    """Settings of a phase, whose samples are crops.

    Fields:
        unit: what the side of crops is a multiple of, in pixels.
        crop: their side.
    """

    unit: ClassVar[int] = BLOCK

    crop: int

    def problems(self) -> Problems:
        yield from PhaseSettings.problems(self)
        yield self.crop < self.unit or bool(self.crop % self.unit), f"crops must be multiples of {self.unit} pixels"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings that every recipe has; its own kind adds its phases, as fields, and what else it needs.

    Fields:
        photos: to train on, at most.
        held_out: photos set aside to watch the progress on, at most; of few photos no more than an eighth.
        optimiser: adam or muon.
        weight_decay: share of the weights, in units of the learning rate, that each step takes away.
        largest_gradient: norm that a module's gradient is clipped to.
        averaging: decay a step of the moving average of the weights, which is what is kept; 0 for none.
        warm_up: steps until the learning rate is at its highest.
        lowest_rate: where the learning rate ends, as a share of its highest.
        report, checkpoint: steps between lines of the log and between checkpoints.
        resumed_phases: those of a run that goes on from finished weights.
        resumed_rate: its learning rates, as a share of the usual ones.
    """

    photos: int
    held_out: int
    optimiser: str
    weight_decay: float
    largest_gradient: float
    averaging: float
    warm_up: int
    lowest_rate: float
    report: int
    checkpoint: int
    resumed_phases: tuple[str, ...]
    resumed_rate: float

    @classmethod
    def phases(cls) -> tuple[str, ...]:
        """Names of the phases, in their order."""
        return tuple(name for name, kind in _kinds(cls).items() if _is_phase(kind))

    def phase(self, name: str) -> PhaseSettings:
        """Settings of the phase of this name."""
        found: PhaseSettings = getattr(self, name)
        return found

    def limited(self, *, photos: int | None, steps: int | None) -> Self:
        """With another number of photos, and of steps in every phase, where given."""
        settings = self if photos is None else replace(self, photos=photos)
        if steps is None:
            return settings
        limited: dict[str, Any] = {name: replace(self.phase(name), steps=steps) for name in self.phases()}
        return replace(settings, **limited)

    def problems(self) -> Problems:
        """What may be wrong with the values."""
        yield self.photos < 1 or self.held_out < 0, "numbers of photos must be above 0"
        yield self.optimiser not in OPTIMISERS, f"optimiser must be one of {', '.join(OPTIMISERS)}"
        yield self.weight_decay < 0, "weight_decay must not be negative"
        yield self.largest_gradient <= 0, "largest_gradient must be above 0"
        yield not 0 <= self.averaging < 1, "averaging must lie in 0..1"
        yield not 0 <= self.lowest_rate <= 1, "lowest_rate must lie in 0..1"
        yield min(self.report, self.checkpoint, self.warm_up) < 1, "report, checkpoint, warm_up must be above 0"
        phases = self.phases()
        yield not set(self.resumed_phases) <= set(phases), f"resumed_phases are some of {', '.join(phases)}"
        yield self.resumed_rate <= 0, "learning rates must be above 0"
        for name in phases:
            yield from self.phase(name).problems()


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], file: Path, profile: str | None = None, changes: Sequence[str] = ()) -> S:
    """The settings of a file.

    Args:
        kind: which settings there must be.
        file: TOML; see the `settings.toml` of a recipe.
        profile: a table of it; needed where the file has any.
        changes: `key=value` each, such as `photos=100` or `synthesis.steps=300`; they replace what the file says.

    Raises UsageError if the file cannot be read, or if a setting is missing, unknown or makes no sense.
    """
    values = _tables(kind, file, profile)
    for change in changes:
        _apply(change, values, kind)
    settings: S = _filled(kind, values, file, (profile,) if profile else ())
    for wrong, what in settings.problems():
        if wrong:
            raise UsageError(f"{' '.join([str(file), *(f'--set {change}' for change in changes)])}: {what}")
    return settings


def profiles_of(kind: type[Settings], file: Path) -> tuple[str, ...]:
    """Names of a file's profiles; raises UsageError if it cannot be read."""
    return tuple(name for name, value in _parsed(file).items() if isinstance(value, dict) and name not in _kinds(kind))


def keys_of(kind: type[Settings]) -> list[str]:
    """The names of all settings, as `read_settings` takes them in changes."""
    found = []
    for name, own in _kinds(kind).items():
        found += [f"{name}.{key}" for key in _kinds(own)] if _is_phase(own) else [name]
    return found


def _parsed(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(read_bytes(file, limit=_MAX_SETTINGS_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the settings {file}: {error}") from error


def _tables(kind: type[Settings], file: Path, profile: str | None) -> dict[str, Any]:
    """The values of a profile: its own over those that all share."""
    tables, profiles = _parsed(file), profiles_of(kind, file)
    if profile is not None and profile not in profiles:
        known = use_one_of(profile, profiles) if profiles else f"{file} has none"
        raise UsageError(f"unknown profile {profile!r}: {known}")
    values = {key: value for key, value in tables.items() if key not in profiles}
    for key, value in tables[profile].items() if profile else ():
        shared = values.get(key)
        values[key] = shared | value if isinstance(shared, dict) and isinstance(value, dict) else value
    return values


def _apply(change: str, values: dict[str, Any], kind: type[Settings]) -> None:
    """Puts the value of a `key=value` where it belongs."""
    key, separator, text = (part.strip() for part in change.partition("="))
    if not separator or key not in keys_of(kind):
        what = f"{key!r} is no setting here" if separator else f"{change!r} is not of the form key=value"
        raise UsageError(f"--set: {what}: {use_one_of(key, keys_of(kind))}")
    phase, _, name = key.rpartition(".")
    own = _kinds(_kinds(kind)[phase] if phase else kind)[name]
    table = values.setdefault(phase, {}) if phase else values
    try:
        table[name] = _from_text(text, own)
    except ValueError as error:
        raise UsageError(f"--set {change}: {text!r} is no {_name_of(own)}") from error


def _from_text(text: str, kind: Any) -> Any:
    """A setting as a person types it, the items of a list between commas; raises ValueError if it is no such thing."""
    if get_origin(kind) is tuple:
        return [_from_text(item.strip(), get_args(kind)[0]) for item in text.split(",") if item.strip()]
    return {"true": True, "false": False}.get(text, text) if kind is bool else kind(text)


def _filled(kind: type[Any], values: object, file: Path, path: tuple[str, ...]) -> Any:
    """A settings object of the table of this path, every field of it given and of the right type."""
    where = f"{file}, [{'.'.join(path)}]" if path else str(file)
    if not isinstance(values, Mapping):
        raise UsageError(f"{where} is no table")
    expected = _kinds(kind)
    if unknown := sorted(set(values) - set(expected)):
        raise UsageError(f"{where}: {unknown[0]} is no setting: {use_one_of(unknown[0], expected)}")
    found = {}
    for name, own in expected.items():
        if _is_phase(own):
            found[name] = _filled(own, values.get(name, {}), file, (*path, name))
        elif name in values:
            found[name] = _typed(values[name], own, f"{where}: {name}")
        else:
            raise UsageError(f"{where}: {name} is missing")
    return kind(**found)


def _typed(value: Any, kind: Any, where: str) -> Any:
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_typed(item, get_args(kind)[0], where) for item in value)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise UsageError(f"{where} is {value!r}, which is no {_name_of(kind)}")
    return value


def _name_of(kind: Any) -> str:
    return "list" if get_origin(kind) is tuple else str(kind.__name__)


def _kinds(kind: type[Any]) -> dict[str, Any]:
    """The fields of a settings class and their types."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _is_phase(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, PhaseSettings)

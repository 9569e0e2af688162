"""The parts of a channel, however they are written: read into fields, put together as a link's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from channel_sim.kinds import kind_of
from channel_sim.link import LinkSettings
from channel_sim.radio.settings import Radio
from channel_sim.radio_words import RADIO_FIELDS
from channel_sim.words import Fields, Kind
from progressive.errors import UsageError

FURTHER = "further"
"""The field that several parts may add to: the impairments of other packages."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a part.

    Fields:
        key: what it is for; empty for a first value that comes without.
        text: the value as written; empty if there is only a word that is no value.
        item: key and value as written, for messages.
        place: where it is written, for messages, such as 'column 6'.
    """

    key: str
    text: str
    item: str
    place: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part as written, with its place for messages."""

    kind: str
    values: tuple[Value, ...]
    text: str
    place: str

    def at_fault(self, message: object, place: str = "") -> UsageError:
        return UsageError(f"{place or self.place}: {message}")

    def read(self) -> Fields:
        """The fields of LinkSettings, or of its radio channel, that the part gives; UsageError says where it fails."""
        kind = kind_of(self.kind)
        assert kind is not None, "parts of unknown kinds are refused before"
        given: Fields = {}
        for value in self.values:
            self._read_value(kind, value, given)
        lacking = [key for key in kind.required if kind.keys[key][0] not in given]
        if lacking:
            raise self.at_fault(f"{self.kind} lacks {' and '.join(lacking)}: use {kind.example}")
        try:
            return kind.build(given)
        except UsageError as error:
            raise self.at_fault(error) from None

    def _read_value(self, kind: Kind, value: Value, given: Fields) -> None:
        key = value.key or kind.first
        if key not in kind.keys or not value.text:
            known = ", ".join(f"{key}=..." for key in kind.keys)
            raise self.at_fault(f"{value.item!r} in {self.text!r} is not understood: use {known}", value.place)
        name, parse = kind.keys[key]
        if name in given:
            raise self.at_fault(f"{self.text!r} gives {key} a second time", value.place)
        try:
            given[name] = parse(value.text)
        except UsageError as error:
            raise self.at_fault(error, value.place) from None


_ALTERNATIVES = ({"mean_snr_db", "budget"}, {"rate_bps", "trace"})
"""Fields of which a link has one: who gives one of them has chosen against the others."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The fields of LinkSettings, or of its radio channel, that parts give.

    Fields:
        stated: by the parts themselves.
        preset: by presets, each for as long as nothing stated takes its place.
    """

    stated: Fields = field(default_factory=dict)
    preset: Fields = field(default_factory=dict)

    @property
    def fields(self) -> Fields:
        """What is chosen in the end."""
        replaced = set(self.stated).union(*(group for group in _ALTERNATIVES if group & self.stated.keys()))
        return {name: value for name, value in self.preset.items() if name not in replaced} | self.stated


def merged(parts: Iterable[tuple[Part, Choices]]) -> Choices:
    """The choices of all parts; UsageError for what two of them state, or two presets give."""
    stated: Fields = {}
    preset: Fields = {}
    for part, given in parts:
        if FURTHER in given.stated:
            stated[FURTHER] = (*stated.get(FURTHER, ()), *given.stated.pop(FURTHER))
        if again := (stated.keys() & given.stated.keys()) | (preset.keys() & given.preset.keys()):
            raise part.at_fault(f"{part.text!r} gives {_in_words(min(again))} a second time")
        stated |= given.stated
        preset |= given.preset
    return Choices(stated, preset)


def _in_words(name: str) -> str:
    return RADIO_FIELDS.get(name, name.partition("_")[0])


def composed(fields: Fields) -> LinkSettings:
    """The link with these fields; UsageError for what does not go together."""
    radio = {name: value for name, value in fields.items() if name in RADIO_FIELDS}
    others = {name: value for name, value in fields.items() if name not in RADIO_FIELDS}
    return LinkSettings(**others, radio=Radio(**radio) if radio else None)


def parts_of_table(table: Mapping[str, Any]) -> list[Part]:
    """The parts of a TOML document: `NAME = VALUE` is the part NAME:VALUE, a table [NAME] holds the keys of a part, and
    `NAME = true` is a part without values. UsageError for anything else."""
    return [_part_of_entry(name, entry) for name, entry in table.items()]


def _part_of_entry(name: str, entry: object) -> Part:
    place = f"[{name}]"
    if entry is True:
        return Part(name, (), name, place)
    if isinstance(entry, dict):
        pairs = [(key, _text(value, f"{place} {key}"), f"{place} {key}") for key, value in entry.items()]
    else:
        pairs = [("", _text(entry, name), name)]
        place = name
    values = tuple(Value(key, text, f"{key} = {text}" if key else text, at) for key, text, at in pairs)
    return Part(name, values, name, place)


def _text(value: object, place: str) -> str:
    """What would be written on a command line."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{place}: {str(value)[:40]!r} is not understood: use text such as '50kbps', or a number")
    return str(value)

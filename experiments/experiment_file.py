"""Experiment files: TOML, checked whole before any work starts. All keys: docs/reference/experiment_files.md.

title = "Packet loss"
photos = ["kodak"]                     # files, folders, globs, skimage:NAME
photos_at_most = 8                     # evenly spread over them
tuning_photos = ["skimage:coffee"]     # none of the photos above
systems = ["rmpgc planned", "jpeg equal"]
bandwidths = ["50kbps"]
deadline = "10s"

[[panels]]
title = "packet error pattern"
channels = ["ep1", "ep2"]

[[panels]]
title = "packets lost (%)"
channel = "loss:{}%"
values = [0, 10, 20]

[quick]                                # with --quick these take the place of the keys above
photos = ["skimage:astronaut"]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError
from pydantic_core import ErrorDetails

from channel_sim.spec import parse_channel
from experiments.case import Measure, Objective, System
from experiments.experiment import Experiment, Panel, Point
from experiments.laboratory import Laboratory
from experiments.photo_names import find_names, spread
from progressive.errors import UsageError
from progressive.files import read_toml
from progressive.suggestions import use_one_of
from progressive.units import parse_bandwidth, parse_decibel, parse_time

MAX_FILE_BYTES = 1_000_000

UNITS = {"bandwidth": "kbps", "bandwidths": "kbps", "deadline": "s", "outage_below": "dB", "packet_size": "B"}
"""Of the keys whose values are texts with one, to say how a bare number is meant to be written."""

WORDS = {
    "missing": "it is missing: write it too",
    "extra_forbidden": "there is no such key: leave it out",
    "string_type": "write a text in quotes",
    "string_too_short": "write something into the quotes",
    "int_type": "write a whole number",
    "float_type": "write a number",
    "list_type": "write a list in [ ]",
    "dict_type": "write a table in {{ }}",
    "model_type": "write a table in {{ }}",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "greater_than_equal": "use {ge} or more",
    "less_than_equal": "use {le} or less",
    "literal_error": "use {expected}",
}
"""What to do, by what pydantic calls the mistake."""

Text = Annotated[str, Field(min_length=1, max_length=1000)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]
Names = Annotated[list[Text], Field(min_length=1, max_length=10_000)]
Factor = Annotated[float, Field(ge=0, le=100)]


class Strict(BaseModel):
    """Types as written, no key too many, numbers finite."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Factorial(Strict):
    """Every source with every delivery."""

    sources: Names
    deliveries: Names


LIST, TABLE = "[]", "{}"
Systems = Annotated[
    Annotated[Names, Tag(LIST)] | Annotated[Factorial, Tag(TABLE)],
    Discriminator(lambda written: TABLE if isinstance(written, dict) else LIST),
]


class ChannelPanel(Strict):
    """Channels by name, or one with a hole for values."""

    title: Text
    channels: Names | None = None
    channel: Text | None = None
    values: Annotated[list[float], Field(min_length=1, max_length=1000)] | None = None


class PhotosFile(Strict):
    """What experiments of every kind say."""

    title: Text
    photos: Names
    photos_at_most: Count | None = None
    trials: Count = 1000
    seeds: Annotated[list[Annotated[int, Field(ge=0, le=2**32)]], Field(min_length=1, max_length=1000)] = [0]
    quick: dict[str, Any] = {}


class SweepFile(PhotosFile):
    """The keys of an experiment file."""

    kind: Literal["sweep"] = "sweep"
    tuning_photos: Names
    tuning_trials: Count = 200
    systems: Systems
    panels: Annotated[list[ChannelPanel], Field(min_length=1, max_length=100)]
    bandwidths: Names = ["50kbps"]
    deadline: Text = "10s"
    assumed: Annotated[list[Factor], Field(min_length=1, max_length=100)] = [1.0]
    objective: Objective = "area"
    outage_below: Text = "25dB"
    over_time: list[Text] = []
    measures: list[Measure] = []


FileModel = TypeVar("FileModel", bound=PhotosFile)
Given = TypeVar("Given")
Read = TypeVar("Read")


def read_tables(path: Path) -> dict[str, Any]:
    """The content of a TOML file; raises UsageError if it cannot be read."""
    return read_toml(path, limit=MAX_FILE_BYTES)


def checked(model: type[FileModel], tables: dict[str, Any], *, quick: bool) -> FileModel:
    """The file's keys, those of its table `quick` over the others if asked for.

    Raises UsageError that names the first key at fault and what it may be.
    """
    try:
        file = model.model_validate(tables)
        if not quick:
            return file
        if not file.quick:
            raise UsageError("there is no table [quick]: write what --quick changes into one")
        return model.model_validate(tables | file.quick)
    except ValidationError as error:
        raise UsageError(_first(error, model)) from None


def read_experiment(path: Path, laboratory: Laboratory, *, quick: bool = False) -> Experiment:
    """The experiment of a file; raises UsageError, which names the file and the key, for anything it cannot be."""
    tables = read_tables(path)
    try:
        return _experiment(checked(SweepFile, tables, quick=quick), path.parent, laboratory)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def photos_of(key: str, names: list[str], beside: Path, most: int | None = None) -> tuple[str, ...]:
    """The names of all photos of a key, each once, in order."""
    try:
        return spread(list(dict.fromkeys(name for one in names for name in find_names(one, beside))), most)
    except UsageError as error:
        raise UsageError(f"{key}: {error}") from None


def _experiment(file: SweepFile, folder: Path, laboratory: Laboratory) -> Experiment:
    photos = photos_of("photos", file.photos, folder, file.photos_at_most)
    tuning = photos_of("tuning_photos", file.tuning_photos, folder)
    if both := set(photos) & set(tuning):
        raise UsageError(f"tuning_photos: {min(both)} is one of the photos too: choose parameters on others")
    read("measures", laboratory.judges, file.measures)
    panels = tuple(_panel(number, panel) for number, panel in enumerate(file.panels, 1))
    channels = {point.channel for panel in panels for point in panel.points}
    if unknown := [channel for channel in file.over_time if channel not in channels]:
        raise UsageError(f"over_time: {unknown[0]!r} is in none of the panels: use {', '.join(sorted(channels))}")
    return Experiment(
        title=file.title,
        photos=photos,
        tuning_photos=tuning,
        systems=_systems(file.systems, laboratory),
        panels=panels,
        bandwidths_bps=once("bandwidths", [read("bandwidths", parse_bandwidth, text) for text in file.bandwidths]),
        deadline_s=_positive("deadline", read("deadline", parse_time, file.deadline)),
        assumed=once("assumed", file.assumed),
        objective=file.objective,
        trials=file.trials,
        tuning_trials=file.tuning_trials,
        seeds=once("seeds", file.seeds),
        outage_below_db=read("outage_below", parse_decibel, file.outage_below),
        over_time=once("over_time", file.over_time),
        measures=once("measures", file.measures),
    )


def _systems(written: list[str] | Factorial, laboratory: Laboratory) -> tuple[System, ...]:
    if isinstance(written, Factorial):
        systems = [System(source, delivery) for source, delivery in product(written.sources, written.deliveries)]
    else:
        words = [text.split() for text in written]
        if wrong := [text for text, pair in zip(written, words, strict=True) if len(pair) != 2]:
            raise UsageError(f"systems: {wrong[0]!r} is not a source and a delivery: use such as 'rmpgc planned'")
        systems = [System(source, delivery) for source, delivery in words]
    for system in systems:
        read("systems", laboratory.check_system, system)
    return once("systems", systems)


def _panel(number: int, panel: ChannelPanel) -> Panel:
    place = f"panels, number {number}"
    if panel.channels is not None and panel.channel is None and panel.values is None:
        points = [Point(channel, channel) for channel in panel.channels]
    elif panel.channels is None and panel.channel is not None and panel.values is not None:
        if "{}" not in panel.channel:
            raise UsageError(f"{place}: channel {panel.channel!r} has no place for the values: write {{}} there")
        points = [Point(f"{v:g}", panel.channel.replace("{}", f"{v:g}"), v) for v in panel.values]
    else:
        raise UsageError(f"{place}: give either channels, or a channel with {{}} in it and its values")
    for point in points:
        read(place, check_channel, point.channel)
    return Panel(panel.title, once(place, points))


def check_channel(spec: str) -> None:
    """Raises UsageError unless it is a channel."""
    parse_channel(spec)


def read(key: str, parse: Callable[[Given], Read], given: Given) -> Read:
    """What a value is parsed into; UsageError then names the key."""
    try:
        return parse(given)
    except UsageError as error:
        raise UsageError(f"{key}: {error}") from None


def _positive(key: str, value: float) -> float:
    if value <= 0:
        raise UsageError(f"{key}: use more than 0")
    return value


def once(key: str, values: Sequence[Given]) -> tuple[Given, ...]:
    """The values; UsageError if one is there twice."""
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise UsageError(f"{key}: {twice} is there twice: give each once")
    return tuple(values)


def _first(error: ValidationError, model: type[BaseModel]) -> str:
    """The first thing that is wrong, in a line."""
    first = error.errors()[0]
    if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
        return f"unknown key {first['loc'][0]!r}: {use_one_of(str(first['loc'][0]), model.model_fields)}"
    parts = [part for part in first["loc"] if part not in (LIST, TABLE)]
    place = ", ".join(f"number {part + 1}" if isinstance(part, int) else part for part in parts)
    return f"{place}: {_advice(first)}"


def _advice(error: ErrorDetails) -> str:
    kind, key, written = error["type"], error["loc"][0], error["input"]
    if kind == "string_type" and key in UNITS and isinstance(written, int | float):
        return f'write "{written:g}{UNITS[str(key)]}", a text with its unit'
    return (
        WORDS[kind].format(**error.get("ctx", {})) if kind in WORDS else f"{error['msg'][:1].lower()}{error['msg'][1:]}"
    )

"""The named channels of presets.toml."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import NamedTuple

from channel_sim.link import LinkSettings
from channel_sim.parts import Choices, composed, merged, parts_of_table
from channel_sim.words import Fields


class Preset(NamedTuple):
    """A link, what it stands for, and where its parameters come from; `fields` are what it sets."""

    settings: LinkSettings
    summary: str
    source: str
    fields: Fields


def _load() -> dict[str, Preset]:
    presets = {}
    text = files("channel_sim").joinpath("presets.toml").read_text(encoding="utf-8")
    for name, table in tomllib.loads(text).items():
        summary, source = table.pop("summary"), table.pop("source")
        fields = merged((part, Choices(part.read())) for part in parts_of_table(table)).fields
        presets[name] = Preset(composed(fields), summary, source, fields)
    return presets


PRESETS: dict[str, Preset] = _load()

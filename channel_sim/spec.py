"""The short language that names a channel on a command line.

    SPEC  = PART ("+" PART)*
    PART  = PRESET | KIND ":" VALUE ("," KEY "=" VALUE)*  |  KIND ":" KEY "=" VALUE ("," KEY "=" VALUE)*

`ep3`, `loss:5%`, `ge:loss=10%,burst=5`, `rate:50kbps,delay=80ms,jitter=10ms,queue=16kB`, `ep2+delay:80ms`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from typing import Any

from channel_sim.link import LinkSettings
from channel_sim.presets import PRESETS
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.units import parse_bandwidth, parse_percent, parse_size, parse_time


def parse_channel(spec: str) -> LinkSettings:
    """The link that a channel spec describes; raises UsageError that names the part at fault and what is known."""
    settings: dict[str, Any] = {}
    try:
        for part in spec.split("+"):
            given = _parse_part(part.strip())
            if again := settings.keys() & given.keys():
                raise UsageError(f"{part.strip()!r} gives {min(again).partition('_')[0]} a second time")
            settings |= given
        return LinkSettings(**settings)
    except UsageError as error:
        raise UsageError(f"channel {spec[:80]!r}: {error}") from None


def _parse_part(part: str) -> dict[str, Any]:
    """The fields of LinkSettings that one part gives."""
    if part in PRESETS:
        preset = PRESETS[part].settings
        return {f.name: value for f in fields(preset) if (value := getattr(preset, f.name)) != f.default}
    kind, colon, text = part.partition(":")
    if kind not in _KINDS or not colon:
        known = (*PRESETS, "loss:5%", "ge:loss=10%,burst=5", "rate:50kbps,delay=80ms,jitter=10ms,queue=16kB")
        raise UsageError(f"unknown part {part!r}: use {', '.join(known[:-1])} or {known[-1]}, joined with +")
    keys, build = _KINDS[kind]
    return build(_parse_values(kind, keys, part, text))


def _parse_values(kind: str, keys: tuple[str, ...], part: str, text: str) -> dict[str, str]:
    """KEY=VALUE pairs by key; a first value without a key belongs to the key that has the part's name."""
    values: dict[str, str] = {}
    for position, item in enumerate(text.split(",")):
        key, equals, value = (word.strip() for word in item.partition("="))
        if not equals and position == 0 and kind in keys:
            key, value = kind, key
        if key not in keys or not value:
            raise UsageError(f"{item!r} in {part!r} is not understood: use {', '.join(f'{k}=...' for k in keys)}")
        if key in values:
            raise UsageError(f"{part!r} gives {key} a second time")
        values[key] = value
    return values


def _parse_burst(text: str) -> float:
    try:
        burst = float(text)
    except ValueError:
        burst = math.nan
    if not math.isfinite(burst):
        raise UsageError(f"{text!r} is not a mean number of packets lost in a row: use burst=5")
    return burst


def _bernoulli(values: dict[str, str]) -> dict[str, Any]:
    return {"loss": LossModel(parse_percent(values["loss"]))}


def _gilbert_elliott(values: dict[str, str]) -> dict[str, Any]:
    if missing := {"loss", "burst"} - values.keys():
        raise UsageError(f"ge lacks {' and '.join(sorted(missing))}: use ge:loss=10%,burst=5")
    return {"loss": LossModel(parse_percent(values["loss"]), _parse_burst(values["burst"]))}


_TRANSMISSION: dict[str, tuple[str, Callable[[str], float]]] = {
    "rate": ("rate_bps", parse_bandwidth),
    "delay": ("delay_s", parse_time),
    "jitter": ("jitter_s", parse_time),
    "queue": ("queue_bytes", parse_size),
}


def _transmission(values: dict[str, str]) -> dict[str, Any]:
    return {field: parse(values[key]) for key, (field, parse) in _TRANSMISSION.items() if key in values}


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, str]], dict[str, Any]]]] = {
    "loss": (("loss",), _bernoulli),
    "ge": (("loss", "burst"), _gilbert_elliott),
    **dict.fromkeys(_TRANSMISSION, (tuple(_TRANSMISSION), _transmission)),
}
"""Part name -> (keys it takes, what they mean)."""

"""What the words of the channel language are made of: kinds of parts, their keys, and how values are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from progressive.errors import UsageError

Parser = Callable[[str], Any]
Fields = dict[str, Any]
"""Values by the names of settings' fields."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of part.

    Fields:
        example: how it is written.
        keys: what it takes, each with the field that it gives and how its value is read.
        build: from the fields that were given to those of LinkSettings, or of its radio channel, that they mean.
        first: the key that a first value without a key belongs to; empty if there is none.
        required: keys that must be given.
    """

    example: str
    keys: Mapping[str, tuple[str, Parser]]
    build: Callable[[Fields], Fields]
    first: str = ""
    required: Sequence[str] = ()


def number(what: str) -> Parser:
    """Reads a plain finite number; raises UsageError that says what it would be."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(f"{text[:40]!r} is not {what}")
        return value

    return parse


def degrees(text: str) -> float:
    """The angle of `60deg` or `60`, in degrees; raises UsageError."""
    return float(number("an angle: use a number of degrees such as 60deg")(text.removesuffix("deg")))


def one_of(**names: Any) -> Parser:
    """Reads one of these names as what it stands for; raises UsageError that lists them."""

    def parse(text: str) -> Any:
        if text not in names:
            raise UsageError(f"{text[:40]!r} is not known here: use {' or '.join(names)}")
        return names[text]

    return parse

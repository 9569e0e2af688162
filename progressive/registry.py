"""Codec name -> number in the stream header and import path; a codec's code is loaded on first use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import cast

from progressive.codec import ProgressiveCodec
from progressive.errors import BitstreamError, UsageError


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered codec: its number in stream headers (never reused), `module:factory`, and what it is."""

    number: int
    factory: str
    summary: str


CODECS: dict[str, Entry] = {
    "dual_autoencoder": Entry(
        1,
        "progressive.codecs.dual_autoencoder.codec:DualAutoencoder",
        "linear autoencoders of 8x8 blocks, one output for calm blocks, eight more for detailed ones",
    ),
}

DEFAULT_CODEC = "dual_autoencoder"


@cache
def load_codec(name: str) -> ProgressiveCodec:
    """The codec of this name with its committed weights; raises UsageError if there is none."""
    if name not in CODECS:
        raise UsageError(f"unknown codec {name!r}: use one of {', '.join(sorted(CODECS))}")
    module, factory = CODECS[name].factory.split(":")
    return cast(ProgressiveCodec, getattr(import_module(module), factory)())


def codec_name(number: int) -> str:
    """The name of the codec with this number in a stream header; raises BitstreamError if there is none."""
    for name, entry in CODECS.items():
        if entry.number == number:
            return name
    raise BitstreamError(f"the stream was made by codec number {number}, which this version does not know")

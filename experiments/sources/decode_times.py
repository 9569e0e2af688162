"""How long receivers take from a packet to the picture that it gives: a table, so that results are the same everywhere.

`python -m benchmarks.decode_times` measures it.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

from progressive.codec import Photo


def decode_seconds(source: str, photo: Photo) -> float:
    """Seconds on one core; 0 for a source that is not in the table."""
    return seconds_per_megapixel().get(source, 0.0) * float(photo.shape[0] * photo.shape[1]) / 1e6


@cache
def seconds_per_megapixel() -> dict[str, float]:
    text = files("experiments.sources").joinpath("decode_times.toml").read_text(encoding="utf-8")
    table: dict[str, float] = tomllib.loads(text)
    return table

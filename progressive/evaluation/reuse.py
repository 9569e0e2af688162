"""Curves of peers from an earlier evaluation, taken again where all that decides them is the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.evaluation.curves import Curve, Origin
from progressive.evaluation.meter import Meter
from progressive.files import read_bytes

MAX_BYTES = 500_000_000
"""Of an `evaluation.json`; a photo and system take some kilobytes."""

Key = tuple[str, str, Origin | None]
"""System, name of the photo, and what decides the points."""


@dataclass(frozen=True, slots=True)
class _Record:
    curves: tuple[Curve, ...]


def read_curves(files: Sequence[Path]) -> dict[Key, Curve]:
    """The peers' curves in these `evaluation.json`s; raises UsageError if one cannot be read or is something else."""
    return {key(curve): curve for file in files for curve in _read(file) if curve.origin and not curve.one_stream}


def key(curve: Curve) -> Key:
    """What two curves of the same points have in common."""
    return curve.system, curve.photo, curve.origin


def origin(meter: Meter, made_by: str, rates: Sequence[float]) -> Origin:
    """Where the points come from that this meter measures of a system at these rates, in bits a pixel."""
    judges = meter.judges
    label = meter.label if judges.classifier else None
    return Origin(photo_digest(meter.original), label, made_by, tuple(rates), judges.digest)


def photo_digest(photo: Photo) -> str:
    """SHA-256, in hexadecimal, of the photo, [H, W, 3], as a PPM file with its header in one line."""
    height, width = photo.shape[:2]
    return hashlib.sha256(f"P6 {width} {height} 255\n".encode() + photo.tobytes()).hexdigest()


def in_words(curves: Sequence[Curve], earlier: Mapping[Key, Curve]) -> list[str]:
    """A line that says which of these curves are an earlier evaluation's; none if none is."""
    systems = [curve.system for curve in curves if key(curve) in earlier]
    if not systems:
        return []
    counts = ", ".join(f"{system} {systems.count(system)}" for system in dict.fromkeys(systems))
    return [
        "Taken from an earlier evaluation, with the same photos (by name and digest), rates, settings, versions of "
        f"libraries and judging networks: {counts} of the photos."
    ]


def _read(file: Path) -> tuple[Curve, ...]:
    try:
        content = json.loads(read_bytes(file, limit=MAX_BYTES), object_hook=_infinite)
        return TypeAdapter(_Record).validate_python(content).curves
    except (ValidationError, ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not the evaluation.json of an evaluation") from error


def _infinite(fields: dict[str, Any]) -> dict[str, Any]:
    """JSON has no word for the PSNR of a picture that equals the original: it stands there as null."""
    return fields | {"psnr": math.inf} if "bytes" in fields and fields.get("psnr") is None else fields

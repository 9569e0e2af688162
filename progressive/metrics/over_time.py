"""How soon a stream was good: its quality over time and over bytes, from the events of a run's report.

A picture stays until a better one replaces it, so quality is a step function, zero before the first picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from progressive.errors import UsageError
from progressive.files import read_bytes

LOSSLESS_DB = 100.0
"""What a picture equal to the original counts in areas, where infinity would hide everything else."""

QUALITIES = ("psnr", "ms_ssim")
LENGTHS = ("time_s", "bytes")
LEVELS = {"psnr": (20.0, 25.0, 28.0, 30.0), "ms_ssim": (0.8, 0.9, 0.95)}
"""Qualities whose arrival is told in a summary."""

MAX_REPORT_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class QualityCurve:
    """Quality as it rose along a stream.

    Fields:
        steps: (position, quality) of each picture by rising position: seconds since the first datagram, or bytes.
    """

    steps: tuple[tuple[float, float], ...]

    def at(self, position: float) -> float:
        """The quality shown there; 0 before the first picture."""
        return next((quality for start, quality in reversed(self.steps) if start <= position), 0.0)

    def area(self, until: float) -> float:
        """The integral of quality from 0 to there; the last picture stays. Raises UsageError for a negative end."""
        if not 0 <= until < math.inf:
            raise UsageError(f"no area until {until:g}: use a finite number of zero or more")
        ends = (*self.steps, (math.inf, 0.0))
        return sum(
            quality * (min(end, until) - start) for (start, quality), (end, _) in pairwise(ends) if start < until
        )

    def mean(self, until: float) -> float:
        """The area divided by its length: the quality that a viewer sees on average until there."""
        return self.area(until) / until if until > 0 else self.at(0)

    def reaches(self, quality: float) -> float | None:
        """Where the quality is first at least this; None if it never is."""
        return next((start for start, reached in self.steps if reached >= quality), None)


def quality_curve(events: Iterable[Mapping[str, Any]], quality: str = "psnr", over: str = "time_s") -> QualityCurve:
    """The curve of a run.

    Args:
        events: as in report.json, by rising time.
        quality: `psnr` in dB or `ms_ssim`.
        over: `time_s` or `bytes`.

    Where only some events lack a PSNR, their pictures equal the original (a report has no word for infinity) and count
    LOSSLESS_DB. Raises UsageError if no event has the quality, or events are not of a report.
    """
    if quality not in QUALITIES or over not in LENGTHS:
        raise UsageError(f"no curve of {quality} over {over}: use one of {QUALITIES} over one of {LENGTHS}")
    try:
        rows = [(float(e[over]), None if e[quality] is None else float(e[quality]), e["ms_ssim"]) for e in events]
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("these are not the events of a report: each needs time_s, bytes, psnr and ms_ssim") from error
    if all(value is None and similarity is None for _, value, similarity in rows):
        raise UsageError(f"no event has a {quality}: measuring needs the original, and MS-SSIM a side of 161 pixels")
    exact = LOSSLESS_DB if quality == "psnr" else 1.0
    steps = ((position, exact if value is None else min(value, exact)) for position, value, _ in rows)
    return QualityCurve(tuple(sorted(steps, key=lambda step: step[0])))


@dataclass(frozen=True, slots=True)
class Summary:
    """One quality over time or bytes.

    Fields:
        quality, over: as in `quality_curve`.
        until: where the area ends.
        area, mean: the integral from 0 to there, and divided by its length.
        last: the quality there.
        reached: where the quality is first at least this; None where it never is.
    """

    quality: str
    over: str
    until: float
    area: float
    mean: float
    last: float
    reached: dict[float, float | None]


def summarise(events: Sequence[Mapping[str, Any]], until_s: float | None = None) -> list[Summary]:
    """Every quality that was measured, over time and over bytes.

    `until_s` ends the areas, in seconds, and the bytes that had arrived then; without it the last picture does. Raises
    UsageError if nothing was measured, or events are not of a report.
    """
    times, sizes = (quality_curve(events, "psnr", over) for over in LENGTHS)
    end_s = times.steps[-1][0] if until_s is None else until_s
    arrived = [size for (time, _), (size, _) in zip(times.steps, sizes.steps, strict=True) if time <= end_s]
    summaries = []
    for quality, levels in LEVELS.items():
        if quality != "psnr" and all(event[quality] is None for event in events):
            continue  # a photo too small for it
        for over, until in zip(LENGTHS, (end_s, float(arrived[-1] if arrived else 0)), strict=True):
            curve = quality_curve(events, quality, over)
            reached = {level: curve.reaches(level) for level in levels}
            summaries.append(
                Summary(quality, over, until, curve.area(until), curve.mean(until), curve.at(until), reached)
            )
    return summaries


def read_events(report: Path) -> Sequence[Mapping[str, Any]]:
    """The events of a report.json; raises UsageError if the file is none."""
    try:
        events = json.loads(read_bytes(report, limit=MAX_REPORT_BYTES))["events"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(f"{report} is not the report.json of a run") from error
    if not isinstance(events, list):
        raise UsageError(f"{report} is not the report.json of a run")
    return events

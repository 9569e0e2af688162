"""How good a picture of some segments is expected to be: what the sender measured, in a few bytes.

    PSNR at some ids ─> of every id what it adds ─> summed over the segments that a picture shows

Segments are numbered in the order of sending, so a few points of the curve tell what each is worth.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from progressive.errors import WireError

MAX_POINTS = 32
"""Most points after the first: many more than a curve has corners."""

STEP_DB = 0.25
HIGHEST_DB = 255 * STEP_DB

_FIXED = struct.Struct("!HHB")
_PEAK = 255.0**2


@dataclass(frozen=True, slots=True)
class Curve:
    """PSNR over the segments shown, beside the original at its own size.

    Layout, network order: the last id of the base (2 bytes), the last id that was measured (2), the number of points
    of the base (1), then the PSNR of every point in steps of 0.25 dB (1 each): first of the picture without any
    segment, then of the base's points, then of those beyond it.

    Fields:
        base: last id of the base, 1 or more.
        last: last id that was measured, `base` or more.
        levels: PSNR, in steps, at each of `ids`.
        base_points: how many of them, after the first, are of the base.
    """

    base: int
    last: int
    base_points: int
    levels: tuple[int, ...]

    def to_bytes(self) -> bytes:
        return _FIXED.pack(self.base, self.last, self.base_points) + bytes(self.levels)

    @classmethod
    def of(cls, base: int, last: int, base_points: int, psnr: Iterable[float]) -> Curve:
        """Of values in dB, infinite ones too."""
        return cls(base, last, base_points, tuple(round(min(max(p, 0.0), HIGHEST_DB) / STEP_DB) for p in psnr))

    @classmethod
    def from_bytes(cls, data: bytes) -> Curve:
        """Raises WireError for anything that is no curve."""
        points = len(data) - _FIXED.size - 1
        if not 1 <= points <= MAX_POINTS:
            raise WireError(f"curve of {len(data)} bytes")
        base, last, base_points = _FIXED.unpack_from(data)
        if not (1 <= base <= last and 1 <= base_points <= points and (base < last) == (base_points < points)):
            raise WireError(f"impossible curve: base up to {base} of {last}, {base_points} of {points} points")
        return cls(base, last, base_points, tuple(data[_FIXED.size :]))


def places(base: int, last: int, base_points: int, points: int) -> list[int]:
    """The ids up to which segments are shown at each point of a curve after the first: evenly spaced in the base, then
    closer together at first, where the curve bends."""
    beyond = points - base_points
    inside = [-(-base * j // base_points) for j in range(1, base_points + 1)]
    return inside + [base + -(-(last - base) * j * j // (beyond * beyond)) for j in range(1, beyond + 1)]


class Expectation:
    """Looks up what a curve says of any segments."""

    def __init__(self, curve: Curve) -> None:
        self.curve = curve

    @cached_property
    def _errors(self) -> NDArray[np.float64]:
        """Mean squared error of the picture that shows all segments up to each id, [last + 1]."""
        curve = self.curve
        ids = [0, *places(curve.base, curve.last, curve.base_points, len(curve.levels) - 1)]
        psnr = np.interp(np.arange(curve.last + 1), ids, np.array(curve.levels) * STEP_DB)
        return np.asarray(_PEAK / 10 ** (psnr / 10))

    def psnr(self, shown: Iterable[int]) -> float:
        """Of the picture that shows these segments, in dB."""
        errors = self._errors
        ids = np.array([i for i in shown if 1 <= i <= self.curve.last], int)
        error = float(errors[0] - (errors[ids - 1] - errors[ids]).sum())
        return float(10 * np.log10(_PEAK / max(error, errors.min())))

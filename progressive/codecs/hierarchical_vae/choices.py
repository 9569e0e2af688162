"""What an encoder writes: the index nearest to a coefficient, or a smaller one that is worth more a bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.hierarchical_vae.quantiser import MAX_INDEX, ROUNDING
from progressive.codecs.hierarchical_vae.rates import SLOPE
from progressive.codecs.hierarchical_vae.tables import POINT_UNITS, REACHES, Ints, Tables, from_index
from progressive.exact.passes import Place

PRICE = SLOPE
"""Bits that a unit of squared error is worth, in bins."""


@dataclass
class Moments:
    """Where coefficients are, from the middle of their bins, by table, row and symbol. Fields: sums; counts."""

    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    counts: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, name: str, rows: Ints, symbols: Ints, away: NDArray[np.float32], shape: tuple[int, int]) -> None:
        for totals, weights in ((self.sums, away), (self.counts, np.ones_like(away))):
            total = totals.setdefault(name, np.zeros(shape))
            total += np.bincount(rows * shape[1] + symbols, weights, shape[0] * shape[1]).reshape(shape)


@dataclass
class Choices:
    """What to convey of a latent.

    Fields:
        values: coefficients in steps, of all scales [N, C, h, w].
        moments: what is noted of them, for calibration.
        price: bits for a unit of squared error; none: always the nearest.
    """

    values: Sequence[Tensor]
    moments: Moments | None = None
    price: float | None = PRICE

    def at(self, place: Place) -> NDArray[np.float32]:
        """The coefficients of a pass, [N]."""
        wanted: NDArray[np.float32] = place.coefficients(self.values[place.scale]).contiguous().cpu().numpy().ravel()
        return wanted

    def choose(
        self, name: str, rows: Ints, centre: Ints, shift: Ints, values: NDArray[np.float32], tables: Tables
    ) -> Ints:
        """The indices to write of coefficients that have these rows, [N]."""
        reach, bits, points = REACHES[name], tables.frequencies[name].bits, tables.points[name]
        nearest = np.rint(values).clip(-MAX_INDEX, MAX_INDEX).astype(np.int32)
        if self.price is None:
            nearest = (np.sign(values) * np.floor(np.abs(values) + np.float32(ROUNDING))).astype(np.int32)
            nearest = nearest.clip(-MAX_INDEX, MAX_INDEX)
        best, symbols = nearest, from_index(nearest, centre, shift, reach)[0]
        if self.price is not None:
            cost = self._cost(bits, points, rows, symbols, nearest, values)
            smaller = nearest - np.sign(nearest)
            cheap, _ = from_index(smaller, centre, shift, reach)
            take = (self._cost(bits, points, rows, cheap, smaller, values) < cost) & (shift == 0)
            best, symbols = np.where(take, smaller, nearest), np.where(take, cheap, symbols)
        if self.moments is not None:
            self.moments.add(name, rows, symbols, np.where(shift > 0, 0, values - best), bits.shape)
        return best

    def _cost(
        self,
        bits: NDArray[np.float32],
        points: NDArray[np.int8],
        rows: Ints,
        symbols: Ints,
        index: Ints,
        values: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        away = values - index - points[rows, symbols] / np.float32(POINT_UNITS)
        return np.asarray(bits[rows, symbols] + np.float32(self.price or 0) * away * away, np.float32)

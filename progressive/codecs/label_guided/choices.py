"""What an encoder writes: the index nearest to a coefficient, or a smaller one that is worth more a bit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.label_guided.steps import ROUNDING, SLOPE
from progressive.codecs.label_guided.tables import LATENT, POINT_UNITS, SHAPES, Tables
from progressive.exact.laplace import MAX_INDEX, Ints, from_index
from progressive.exact.passes import Place


@dataclass
class Moments:
    """Where coefficients are, from the middle of their bins, by row and symbol. Fields: sums; counts."""

    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros(SHAPES[LATENT]))
    counts: NDArray[np.float64] = field(default_factory=lambda: np.zeros(SHAPES[LATENT]))

    def add(self, rows: Ints, symbols: Ints, away: NDArray[np.float32]) -> None:
        np.add.at(self.sums, (rows, symbols), away)
        np.add.at(self.counts, (rows, symbols), 1.0)


@dataclass
class Choices:
    """What to convey of a tile or of some blocks.

    Fields:
        values: coefficients in steps, [N, C, h, w].
        hyper: the hyperprior, -7..7, int32 [8, R, K]; of a tile's first segment.
        labels: of the photo's cells in the tile, [rows, columns], or none for a blank map; of a tile's first segment.
        moments: what is noted of coefficients, for calibration.
        price: bits for a unit of squared error, in bins; none: always the nearest.
    """

    values: Tensor
    hyper: NDArray[np.int32] | None = None
    labels: NDArray[np.int8] | None = None
    moments: Moments | None = None
    price: float | None = SLOPE

    def at(self, place: Place) -> NDArray[np.float32]:
        """The coefficients of a pass, [N]."""
        wanted: NDArray[np.float32] = place.coefficients(self.values).contiguous().cpu().numpy().ravel()
        return wanted

    def choose(self, rows: Ints, centre: Ints, values: NDArray[np.float32], tables: Tables) -> Ints:
        """The indices to write of coefficients that have these rows, [N]."""
        if self.price is None:
            best = (np.sign(values) * np.floor(np.abs(values) + np.float32(ROUNDING))).astype(np.int32)
            best = best.clip(-MAX_INDEX, MAX_INDEX)
            symbols = from_index(best, centre)
        else:
            nearest = np.rint(values).clip(-MAX_INDEX, MAX_INDEX).astype(np.int32)
            smaller = nearest - np.sign(nearest)
            likely, cheap = from_index(nearest, centre), from_index(smaller, centre)
            take = self._cost(rows, cheap, smaller, values, tables) < self._cost(rows, likely, nearest, values, tables)
            best, symbols = np.where(take, smaller, nearest), np.where(take, cheap, likely)
        if self.moments is not None:
            self.moments.add(rows, symbols, values - best)
        return best

    def _cost(
        self, rows: Ints, symbols: Ints, index: Ints, values: NDArray[np.float32], tables: Tables
    ) -> NDArray[np.float32]:
        away = values - index - tables.points[rows, symbols] / np.float32(POINT_UNITS)
        bits = tables.frequencies[LATENT].bits[rows, symbols]
        return np.asarray(bits + np.float32(self.price or 0) * away * away, np.float32)

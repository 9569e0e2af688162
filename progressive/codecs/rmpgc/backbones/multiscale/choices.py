"""What the encoder writes: the true symbols, or cheaper ones where the truth is not worth its bits.

A decoder accepts any symbols, so the encoder may take the middle or lower part of a bin, or the next smaller index of
the base, wherever what that adds to the squared error is less than the bits it saves are worth (rate-distortion
optimised quantisation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.points import PointTables, shares_at, values_at
from progressive.codecs.rmpgc.blocks import together
from progressive.exact.tables import FrequencyTable

Tables = Mapping[str, FrequencyTable]
Ints = NDArray[np.int32]

BASE_PRICE = 0.1
LEVEL_PRICES = (0.03, 0.018, 0.0084, 0.0042, 0.0021, 0.0011, 0.00055, 0.00018)
"""Squared error, in squared coefficients, that a bit is worth in the base and at each level: somewhat less than the
next level gives for it."""


@dataclass
class Moments:
    """Sums of where coefficients lie in their bins, by table row and symbol: what points are counted from."""

    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    counts: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def add(self, table: str, shape: tuple[int, ...], rows: Ints, symbols: Ints, shares: NDArray[np.float32]) -> None:
        sums = self.sums.setdefault(table, np.zeros(shape))
        counts = self.counts.setdefault(table, np.zeros(shape))
        np.add.at(sums, (rows, symbols), shares)
        np.add.at(counts, (rows, symbols), 1.0)


@dataclass(frozen=True)
class Choices:
    """What an encoder wants to convey of one scale, and how it chooses.

    Fields:
        values: coefficients, [N, C, h, w].
        price: squared error that a bit is worth.
        tables: what bits are counted by; None: the truth is written, whatever it costs.
        points: how symbols will be read.
        moments: where to count what is written.
    """

    values: Tensor
    price: float = 0.0
    tables: Tables | None = None
    points: PointTables | None = None
    moments: Moments | None = None

    def of(self, values: Tensor) -> Choices:
        """The same for other coefficients."""
        return replace(self, values=values)

    def cheaper(
        self,
        table: str,
        rows: Ints,
        true: tuple[Ints, Ints],
        instead: tuple[Ints, Ints],
        outward: Ints,
        values: NDArray[np.float32],
        plane: int,
    ) -> NDArray[np.intp]:
        """Which symbols to replace, as positions in the arrays, all of S symbols.

        Args:
            true, instead: table symbols, and the indices of the plane that they make.
            outward: the sign that each point is read with.
            values: the coefficients.
        """
        if self.tables is None or self.points is None:
            return np.zeros(0, np.intp)
        differ = np.flatnonzero(true[0] != instead[0])
        of, bits, points = rows[differ], self.tables[table].bits, self.points[table]
        costs, errors = [], []
        for symbols, indices in (true, instead):
            there = points[of, symbols[differ]] * outward[differ].astype(np.int16)
            costs.append(bits[of, symbols[differ]])
            errors.append((values[differ] - values_at(indices[differ], there, plane)) ** 2)
        return differ[errors[1] - errors[0] < self.price * (costs[0] - costs[1])]

    def count(
        self,
        table: str,
        rows: Ints,
        symbols: Ints,
        indices: Ints,
        outward: Ints,
        values: NDArray[np.float32],
        plane: int,
    ) -> None:
        """Notes where the coefficients lie in the bins that were written."""
        if self.moments is not None:
            assert self.points is not None
            shape = self.points[table].shape
            self.moments.add(table, shape, rows, symbols, shares_at(values, indices, plane) * outward)


def joined(each: Sequence[Choices]) -> Choices:
    """What an encoder wants of one scale of several tiles, one after the other; the rest is the first one's."""
    return each[0].of(together([choices.values for choices in each]))

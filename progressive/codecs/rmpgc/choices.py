"""What the encoder writes: the true symbols, or cheaper ones where the truth is not worth its bits.

A decoder accepts any symbols, so the encoder may take the middle or lower part of a bin, or the next smaller index of
the base, wherever what that adds to the squared error is less than the bits it saves are worth (rate-distortion
optimised quantisation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.entropy.tables import FrequencyTable

Tables = Mapping[str, FrequencyTable]

BASE_PRICE = 0.1
LEVEL_PRICES = (0.03, 0.018, 0.0084, 0.0042, 0.0021, 0.0011, 0.00055, 0.00018)
"""Squared error, in squared coefficients, that a bit is worth in the base and at each level: somewhat less than the
next level gives for it, as the learned analysis has already dropped what is dear."""


@dataclass(frozen=True)
class Choices:
    """Symbols to write for one scale, and what a cheaper one would cost.

    Fields:
        symbols: the true ones, [N, C, h, w].
        loss: squared error that the cheaper symbol adds; infinite where there is none. None: write the truth.
        price: squared error that a bit is worth.
        tables: what bits are counted by.
    """

    symbols: Tensor
    loss: Tensor | None = None
    price: float = 0.0
    tables: Tables | None = None

    def at_level(self, level: int) -> Choices:
        """Those of a plane, for the first or the second of its levels."""
        return replace(self, price=LEVEL_PRICES[level - 1])

    def part(self, channels: slice) -> Choices:
        loss = None if self.loss is None else self.loss[:, channels]
        return Choices(self.symbols[:, channels], loss, self.price, self.tables)

    def of_blocks(self, chosen: Tensor) -> Choices:
        loss = None if self.loss is None else self.loss[chosen]
        return Choices(self.symbols[chosen], loss, self.price, self.tables)

    def cheaper(
        self,
        table: str,
        rows: NDArray[np.int32],
        symbols: NDArray[np.int32],
        instead: NDArray[np.int32],
        places: Tensor,
    ) -> NDArray[np.bool_]:
        """Where to write another symbol instead of the true one, for table symbols at flat positions, [S]."""
        found = np.zeros(len(rows), bool)
        if self.loss is None or self.tables is None:
            return found
        differ = np.flatnonzero(symbols != instead)
        bits, of = self.tables[table].bits, rows[differ]
        loss = self.loss.reshape(-1)[places[torch.from_numpy(differ).to(places.device)]].cpu().numpy()
        found[differ] = loss < self.price * (bits[of, symbols[differ]] - bits[of, instead[differ]])
        return found


def base_choices(values: Tensor, scale: int, dequantiser: Dequantiser, tables: Tables | None) -> Choices:
    """For the base of one scale, whose coefficients are `values`; without tables, the truth."""
    index = quantiser.base_index(values)
    if tables is None:
        return Choices(index)
    smaller = index - torch.sign(index)
    loss = _added(values, dequantiser(index, 0, scale), dequantiser(smaller, 0, scale))
    return Choices(index, loss.masked_fill(index == 0, torch.inf), BASE_PRICE, tables)


def plane_choices(
    values: Tensor, parents: Tensor, plane: int, scale: int, dequantiser: Dequantiser, tables: Tables | None
) -> Choices:
    """For one scale of a plane of some blocks, given their indices of the plane before; its price is of a level."""
    symbols = quantiser.refine(values, parents, plane)
    if tables is None:
        return Choices(symbols)
    chosen, plain = (dequantiser(quantiser.child_of(parents, s, plane), plane, scale) for s in (symbols, 0))
    loss = _added(values, chosen, plain).masked_fill(symbols == 0, torch.inf)
    return Choices(symbols, loss, tables=tables)


def _added(values: Tensor, chosen: Tensor, cheaper: Tensor) -> Tensor:
    return (values - cheaper).square() - (values - chosen).square()

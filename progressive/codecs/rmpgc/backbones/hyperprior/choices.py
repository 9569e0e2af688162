"""What an encoder writes: the index nearest to a coefficient, or a smaller one that is worth more a bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbones.hyperprior.quantiser import quantised
from progressive.exact.laplace import MAX_INDEX, Ints, Rows, from_index, written
from progressive.exact.tables import FrequencyTable

PRICE = 9.0
"""Bits for a unit of squared error, in steps: lambda times the square of the step, of either layer."""

BRIGHTNESS_PRICE = 40.0
"""The same of brightness, the base's first channel: an error shows over a whole cell."""


@dataclass(frozen=True)
class Choices:
    """Chooses indices.

    Fields:
        tables: of the model.
        price: bits for a unit of squared error, in steps; none: always the nearest, with the quantiser's dead zone.
    """

    tables: Mapping[str, FrequencyTable]
    price: float | None = PRICE

    def choose(self, table: str, parameters: Tensor, values: Tensor) -> Tensor:
        """Indices of coefficients in steps, int16 [N, C, h, w], of which a prior says this, [N, 2, C, h, w]."""
        mean, scale = (t.contiguous().cpu().numpy().ravel().astype(np.int32) for t in parameters.unbind(1))
        rows, frequencies = Rows.of(mean, scale), self.tables[table]
        flat: NDArray[np.float32] = values.float().contiguous().cpu().numpy().ravel()
        if self.price is None:
            index = quantised(values.float()).contiguous().cpu().numpy().ravel().astype(np.int32)
        else:
            nearest = np.rint(flat).clip(-MAX_INDEX, MAX_INDEX).astype(np.int32)
            smaller = nearest - np.sign(nearest)
            costs = [self._cost(rows, index, flat, frequencies) for index in (nearest, smaller)]
            index = np.where(costs[1] < costs[0], smaller, nearest)
        index = np.where(written(frequencies, rows), index, rows.centre)
        return torch.from_numpy(index.astype(np.int16)).reshape(values.shape).to(values.device)

    def _cost(
        self, rows: Rows, index: Ints, values: NDArray[np.float32], frequencies: FrequencyTable
    ) -> NDArray[np.float32]:
        bits = frequencies.bits[rows.row, from_index(index, rows.centre)]
        return np.asarray(bits + np.float32(self.price or 0) * np.square(values - index), np.float32)

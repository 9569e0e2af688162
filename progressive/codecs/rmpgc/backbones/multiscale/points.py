"""Where in its bin a coefficient is expected: the mean of those that had the same table row and the same symbol.

A point is a share of the bin's width from its middle, -128..127 for -0.5..0.5. Rows that tell how likely a symbol was
tell how fast the coefficients get rarer, so points know more than bins; those of a zero, or of a symbol that has not
come yet, lean to the likelier sign. Points make pictures only; what is coded does not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale import quantiser

UNITS = 256
"""Of a bin's width."""

Points = NDArray[np.int8]
"""A point a table row and symbol, [rows, symbols]."""

PointTables = Mapping[str, Points]


def values_of(index: Tensor, points: Tensor, plane: int) -> Tensor:
    """Expected coefficients for indices of a plane and points in their bins, all [N, C, h, w]."""
    middles, widths = (t.to(index.device) for t in _bins(plane))
    place = index.long() + quantiser.reach(plane)
    return middles[place] + widths[place] * points.float()


def values_at(index: NDArray[np.int32], points: NDArray[np.int8], plane: int) -> NDArray[np.float32]:
    """The same in NumPy, of any shape."""
    middles, widths = (t.numpy() for t in _bins(plane))
    place = index + quantiser.reach(plane)
    values: NDArray[np.float32] = (middles[place] + widths[place] * points).astype(np.float32, copy=False)
    return values


def shares_at(values: NDArray[np.float32], index: NDArray[np.int32], plane: int) -> NDArray[np.float32]:
    """Where coefficients lie in their bins, in points that are not rounded; what lies outside counts as at the edge."""
    middles, widths = (t.numpy() for t in _bins(plane))
    place = index + quantiser.reach(plane)
    shares: NDArray[np.float32] = ((values - middles[place]) / widths[place]).clip(-UNITS / 2, UNITS / 2)
    return shares


@cache
def _bins(plane: int) -> tuple[Tensor, Tensor]:
    """Middle and width, in points, of the bin of each index from -reach to reach."""
    reach = quantiser.reach(plane)
    lower, upper = quantiser.bin_of(torch.arange(-reach, reach + 1).double(), plane)
    return ((lower + upper) / 2).float(), ((upper - lower) / UNITS).float()

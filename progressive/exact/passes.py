"""Passes over the coefficients of a scale, each of which sees the ones before: luma on 2x2 squares, then colours.

Legend: N items; C coefficients, h x w positions of a scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Place:
    """The coefficients of one pass over a scale.

    Fields:
        scale: which.
        channels: its coefficients among all of the scale.
        number: of the pass's network.
        corners: (top, left) of each of the grids [top::2, left::2] that it codes at once; none: all positions. Several
            grids of an item follow each other as items of their own.
    """

    scale: int
    channels: slice
    number: int
    corners: tuple[tuple[int, int], ...] = ()

    @property
    def items(self) -> int:
        """How many it makes of each item."""
        return max(1, len(self.corners))

    def of(self, values: Tensor) -> Tensor:
        """Its positions of a tensor, [N, C, h, w] -> [N * items, C, h', w']."""
        if not self.corners:
            return values
        grids = [values[:, :, top::2, left::2] for top, left in self.corners]
        return grids[0] if len(grids) == 1 else torch.stack(grids, 1).flatten(0, 1)

    def coefficients(self, values: Tensor) -> Tensor:
        """Its part of a tensor of the scale's coefficients."""
        return self.of(values[:, self.channels])

    def numbers(self, at: NDArray[np.int64], shape: torch.Size) -> NDArray[np.int64]:
        """Where coefficients of the pass are among all of the scale.

        Args:
            at: theirs among those of the pass, item after item, then by positions, then by coefficients.
            shape: of the scale's coefficients, [N, C, h, w], which are counted alike.
        """
        _, channels, height, width = shape
        position, band = np.divmod(at, self.channels.stop - self.channels.start)
        if self.corners:
            top, left = self.corners[0]
            row, column = np.divmod(position, (width - left + 1) // 2)
            item, row = np.divmod(row, (height - top + 1) // 2)
            item, corner = np.divmod(item, self.items)
            tops, lefts = np.array(self.corners).T
            position = (item * height + 2 * row + tops[corner]) * width + 2 * column + lefts[corner]
        numbers: NDArray[np.int64] = position * channels + self.channels.start + band
        return numbers

    def write(self, values: Tensor, into: Tensor) -> None:
        """Puts values at its positions of a tensor of as many channels, [N, C, h, w]."""
        if not self.corners:
            into.copy_(values)
        for number, (top, left) in enumerate(self.corners):
            into[:, :, top::2, left::2].copy_(values[number :: self.items])

    def write_coefficients(self, values: Tensor, into: Tensor) -> None:
        """Puts values at its part of a tensor of the scale's coefficients."""
        self.write(values, into[:, self.channels])


FIRST, OPPOSITE, OTHERS, COLOUR = range(4)
"""The networks of passes: luma at one corner of each square, at the opposite one, at the other two; then colours."""


def luma_places(scale: int, bands: int, height: int, width: int) -> Iterator[Place]:
    """The passes over luma, the first `bands` coefficients of a scale of this many positions, in order."""
    luma = slice(0, bands)
    yield Place(scale, luma, FIRST, ((0, 0),))
    if height > 1 and width > 1:
        yield Place(scale, luma, OPPOSITE, ((1, 1),))
    others = tuple((top, left) for top, left in ((0, 1), (1, 0)) if top < height and left < width)
    if height % 2 or width % 2:
        yield from (Place(scale, luma, OTHERS, (corner,)) for corner in others)
    else:
        yield Place(scale, luma, OTHERS, others)

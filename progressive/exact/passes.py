"""Passes over the coefficients of a scale, each of which sees the ones before: luma on 2x2 squares, then colours.

Legend: N items; C coefficients, h x w positions of a scale.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

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
        return grids[0] if len(grids) == 1 else one_after_the_other(grids)

    def coefficients(self, values: Tensor) -> Tensor:
        """Its part of a tensor of the scale's coefficients."""
        return self.of(values[:, self.channels])

    def order(self, shape: torch.Size) -> NDArray[np.int64]:
        """Where the pass's coefficients are among all of an item, in the order that the pass has them.

        Args:
            shape: of the scale's coefficients, [N, C, h, w]; they are counted by positions, then by channels.
        """
        return _order(self.corners, self.channels.start, self.channels.stop, *shape[1:])

    def write(self, values: Tensor, into: Tensor) -> None:
        """Puts values at its positions of a tensor of as many channels, [N, C, h, w]."""
        if not self.corners:
            into.copy_(values)
        for number, (top, left) in enumerate(self.corners):
            into[:, :, top::2, left::2].copy_(values[number :: self.items])

    def write_coefficients(self, values: Tensor, into: Tensor) -> None:
        """Puts values at its part of a tensor of the scale's coefficients."""
        self.write(values, into[:, self.channels])


def one_after_the_other(grids: list[Tensor]) -> Tensor:
    """Grids of items, [N, C, h, w] each, as items of their own: all of the first item, then all of the next one."""
    return torch.stack([grid.permute(0, 2, 3, 1) for grid in grids], 1).flatten(0, 1).permute(0, 3, 1, 2)


@lru_cache(maxsize=256)
def _order(
    corners: tuple[tuple[int, int], ...], first: int, end: int, channels: int, height: int, width: int
) -> NDArray[np.int64]:
    numbers = np.arange(height * width * channels).reshape(height, width, channels)[..., first:end]
    grids = [numbers[top::2, left::2] for top, left in corners] or [numbers]
    return np.concatenate([grid.ravel() for grid in grids])


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

"""What decoders of all tiles know, as a picture: the head looks across the borders of tiles."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from progressive.codecs.recurrent.layout import CELL, Layout, Window
from progressive.codecs.recurrent.networks import FINE, Head, Networks, Received

HALO = 1
"""Cells around a window that its pixels depend on: the head's reach is three quarters of one."""

assert HALO * CELL // 4 >= Head.REACH

_FINE_SIDE = 2
"""Positions of unit H on a side of a cell."""


class Canvas:
    """Tiles of a photo as far as they are known; others are as before the first iteration."""

    def __init__(self, layout: Layout, networks: Networks) -> None:
        self._layout, self._networks = layout, networks
        self._tiles: dict[int, tuple[Window, Tensor, Tensor]] = {}

    def put(self, tile: int, received: Received, known: Tensor | None = None) -> None:
        """What is known of a tile now, [1, ...]; after one iteration at least.

        `known` is True at the cells that have one, bool [h, w]; all if left out. Others look like those around.
        """
        window, coefficients = self._layout.window(tile), received.coefficients
        remembered = received.memories[-1][1]
        if known is not None and not known.all():
            finer = known.repeat_interleave(_FINE_SIDE, 0).repeat_interleave(_FINE_SIDE, 1)
            coefficients, remembered = _spread(coefficients, known), _spread(remembered, finer)
        self._tiles[tile] = window, coefficients, remembered

    def pixels(self, window: Window) -> Tensor:
        """RGB about zero of a window, [3, 16 height, 16 width]."""
        around = self._layout.around(window, HALO)
        picture = self._networks.shown(*self._gathered(around))[0]
        return picture[:, *window.inside(around).slices(CELL)]

    def _gathered(self, around: Window) -> tuple[Tensor, Tensor]:
        """Coefficients and hidden states of a window, [1, C, h, w] and [1, FINE, 2 h, 2 w]."""
        coefficients = self._networks.nothing(1, around.height, around.width).coefficients.clone()
        hidden = coefficients.new_zeros(1, FINE, _FINE_SIDE * around.height, _FINE_SIDE * around.width)
        for window, known, remembered in self._tiles.values():
            common = window.common(around)
            if common is not None:
                there, here = common.inside(window), common.inside(around)
                coefficients[:, :, *here.slices()] = known[:, :, *there.slices()]
                hidden[:, :, *here.slices(_FINE_SIDE)] = remembered[:, :, *there.slices(_FINE_SIDE)]
        return coefficients, hidden.contiguous(memory_format=torch.channels_last)


def _spread(values: Tensor, known: Tensor) -> Tensor:
    """Values [1, C, h, w] with those at unknown places from known ones beside them, then from these, and so on."""
    weight = known[None, None].to(values)
    spread = values * weight
    while not bool(weight.all()):
        sums, counts = (F.avg_pool2d(t, 3, 1, 1, divisor_override=1) for t in (spread, weight))
        new = (weight == 0) & (counts > 0)
        spread = torch.where(new, sums / counts.clamp(min=1), spread)
        weight = torch.where(new, 1.0, weight)
    return spread

"""One synthesis of whatever is known: dequantise, inverse transform, refine, in strips where the photo is large."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.layout import BLOCK, BLOCK_SIDES, CHANNELS, SCALES, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import strips, to_photo, with_margin
from progressive.codecs.rmpgc.synthesis import MISSING, state_of
from progressive.codecs.rmpgc.tile import TileState


class Renderer:
    """Makes pictures of tile states on one device."""

    def __init__(self, model: Model, device: str) -> None:
        self._device = torch.device(device)
        self._dequantiser, self._synthesis = model.dequantiser.to(self._device), model.synthesis.to(self._device)

    def picture(self, layout: Layout, tiles: Mapping[int, TileState]) -> Photo:
        """The picture of a photo's tiles, [H, W, 3]; mid-grey where nothing is known."""
        picture = np.full((layout.height, layout.width, 3), 128, np.uint8)
        if not tiles:
            return picture
        states = self._states(layout, tiles)
        for strip in strips(layout):
            top, bottom = with_margin(strip, layout)
            here = states[top:bottom]
            pixels = self._synthesis(self._values(layout, tiles, top, bottom), here[None])
            known = (here != MISSING).repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            pixels = torch.where(known, pixels, 128 / 255)
            first, last = strip[0] * BLOCK, min(strip[1] * BLOCK, layout.height)
            picture[first:last] = to_photo(pixels[:, :, first - top * BLOCK :], last - first, layout.width)
        return picture

    def _states(self, layout: Layout, tiles: Mapping[int, TileState]) -> Tensor:
        """The state of each block of the photo, [rows, columns]."""
        states = torch.full((layout.rows, layout.columns), MISSING)
        for number, tile in tiles.items():
            window = layout.window(number)
            levels = torch.from_numpy(tile.levels.astype(np.int64)).reshape(window.height, window.width)
            states[window.slices(1)] = state_of(tile.stages, 0) + levels
        return states.to(self._device)

    def _values(self, layout: Layout, tiles: Mapping[int, TileState], top: int, bottom: int) -> list[Tensor]:
        """The coefficients of rows of blocks top..bottom, five scales [1, C, h, w]; zero where nothing is known."""
        values: list[Tensor] = []
        for scale in range(SCALES):
            unit, channels = BLOCK_SIDES[scale], CHANNELS[scale]
            grid = torch.zeros(bottom - top, layout.columns, channels, unit, unit, device=self._device)
            for number, tile in tiles.items():
                window = layout.window(number)
                first, last = max(top, window.top), min(bottom, window.top + window.height)
                if first >= last or scale >= len(tile.index):
                    continue
                columns = slice(window.left, window.left + window.width)
                inside = slice((first - window.top) * window.width, (last - window.top) * window.width)
                levels = tile.levels[inside]
                blocks = self._dequantised(tile, inside, levels, scale)
                shape = (last - first, window.width, *blocks.shape[1:])
                grid[first - top : last - top, columns] = blocks.reshape(shape)
            values.append(
                grid.permute(2, 0, 3, 1, 4).reshape(1, channels, (bottom - top) * unit, layout.columns * unit)
            )
        return values

    def _dequantised(self, tile: TileState, inside: slice, levels: NDArray[np.uint8], scale: int) -> Tensor:
        """The coefficients of some of a tile's blocks, each at its own level, [B, C, s, s]."""
        index, symbols = (t[scale][inside].to(self._device).float() for t in (tile.index, tile.symbols))
        tiers = tile.tiers[scale][inside].to(self._device)
        values = torch.empty_like(index)
        for level in np.unique(levels):
            chosen = torch.from_numpy(levels == level).to(self._device)
            values[chosen] = self._dequantiser.at_level(
                index[chosen], symbols[chosen], tiers[chosen], int(level), scale
            )
        return values

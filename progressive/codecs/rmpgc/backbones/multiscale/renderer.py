"""One synthesis of whatever is known: dequantise, inverse transform, refine; of large photos piece by piece."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from progressive.codec import FAITHFUL, Photo
from progressive.codecs.rmpgc.backbones.multiscale.colours import Colours
from progressive.codecs.rmpgc.backbones.multiscale.model import Model
from progressive.codecs.rmpgc.backbones.multiscale.picture import MARGIN
from progressive.codecs.rmpgc.backbones.multiscale.scales import BLOCK_SIDES, CHANNELS
from progressive.codecs.rmpgc.backbones.multiscale.synthesis import MISSING, state_of
from progressive.codecs.rmpgc.backbones.multiscale.tile import TileState
from progressive.codecs.rmpgc.layout import BLOCK, Layout, Window
from progressive.runtime.devices import copy_on
from progressive.runtime.precision import fast_floats
from progressive.runtime.stopping import Stop, check, never
from progressive.segments.pieces import known_part, pieces, to_photo, with_margin


class Renderer:
    """Makes pictures of tile states on one device."""

    def __init__(self, model: Model, device: str) -> None:
        self._device = torch.device(device)
        self._model, self._transform = model, copy_on(model.transform, self._device)
        self._synthesis_of = cache(lambda look: copy_on(model.synthesis_of(look), self._device))

    def picture(
        self,
        layout: Layout,
        tiles: Mapping[int, TileState],
        colours: Colours,
        stop: Stop = never,
        look: str = FAITHFUL,
    ) -> Photo:
        """The picture of a photo's tiles, [H, W, 3], in these colours and this look; mid-grey where nothing is known.

        Raises StoppedError if `stop`, asked before each piece, says so; UsageError if there are no weights of the look.
        """
        synthesis = self._synthesis_of(look)
        picture = np.full((layout.height, layout.width, 3), 128, np.uint8)
        if not tiles:
            return picture
        states = self._states(layout, tiles)
        for whole in pieces(layout, MARGIN):
            piece = known_part(whole, (states != MISSING).cpu().numpy())
            if piece is None:
                continue
            check(stop)
            around = with_margin(piece, layout, MARGIN)
            here = states[around.slices(1)]
            values = self._values(layout, tiles, around)
            _spread_brightness(values[0], here != MISSING)
            linear = colours.restored(self._transform.synthesise(values))
            with fast_floats(self._device):
                pixels = synthesis(linear, here[None]).float()
            known = (here != MISSING).repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            pixels = torch.where(known, pixels, 128 / 255)[:, :, *piece.inside(around).slices(BLOCK)]
            place = picture[piece.slices(BLOCK)]
            place[:] = to_photo(pixels, *place.shape[:2])
        return picture

    def _states(self, layout: Layout, tiles: Mapping[int, TileState]) -> Tensor:
        """The state of each block of the photo, [rows, columns]."""
        states = torch.full((layout.rows, layout.columns), MISSING)
        for number, tile in tiles.items():
            window = layout.window(number)
            levels = torch.from_numpy(tile.levels.astype(np.int64)).reshape(window.height, window.width)
            states[window.slices(1)] = state_of(tile.stages, 0) + levels
        return states.to(self._device)

    def _values(self, layout: Layout, tiles: Mapping[int, TileState], piece: Window) -> list[Tensor]:
        """The coefficients of some blocks, all scales [1, C, h, w]; zero where nothing is known."""
        grids = [
            torch.zeros(piece.height, piece.width, channels, side, side, device=self._device)
            for channels, side in zip(CHANNELS, BLOCK_SIDES, strict=True)
        ]
        for number, tile in tiles.items():
            window = layout.window(number)
            common = window.common(piece)
            if common is None:
                continue
            places = np.arange(window.blocks).reshape(window.height, window.width)
            chosen = places[common.inside(window).slices(1)].ravel()
            for scale in range(len(tile.index)):
                blocks = self._dequantised(tile, chosen, scale)
                shape = (common.height, common.width, *blocks.shape[1:])
                grids[scale][common.inside(piece).slices(1)] = blocks.reshape(shape)
        return [
            grid.permute(2, 0, 3, 1, 4).reshape(1, grid.shape[2], piece.height * side, piece.width * side)
            for grid, side in zip(grids, BLOCK_SIDES, strict=True)
        ]

    def _dequantised(self, tile: TileState, blocks: NDArray[np.int64], scale: int) -> Tensor:
        """The coefficients of some of a tile's blocks, each at its own level, [B, C, s, s]."""
        levels = tile.levels[blocks]
        values = torch.empty(len(blocks), *tile.index[scale].shape[1:], device=self._device)
        for level in np.unique(levels):
            here = levels == level
            chosen = torch.from_numpy(blocks[here])
            values[torch.from_numpy(here)] = tile.values(chosen, int(level), scale).to(self._device)
        return values


def _spread_brightness(lowest: Tensor, known: Tensor) -> None:
    """Gives blocks of which nothing is known the lowest band of the nearest ones, so that they do not grey those.

    Args:
        lowest: the lowest band, [1, C, rows, columns]; changed in place.
        known: of each block, bool [rows, columns].
    """
    if known.all() or not known.any():
        return
    nearest = distance_transform_edt(~known.cpu().numpy(), return_distances=False, return_indices=True)
    rows, columns = (torch.from_numpy(where).to(lowest.device) for where in nearest.astype(np.int64))
    lowest.copy_(lowest[:, :, rows, columns])

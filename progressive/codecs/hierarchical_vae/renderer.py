"""One synthesis of whatever is known: dequantise, inverse wavelet, top-down network; of large photos piece by piece."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.hierarchical_vae import wavelets
from progressive.codecs.hierarchical_vae.latents import BLOCK_SIDES, CHANNELS, MARGIN
from progressive.codecs.hierarchical_vae.rates import CELL, Gammas
from progressive.codecs.hierarchical_vae.resnet import TopDown
from progressive.codecs.hierarchical_vae.tile import TileState
from progressive.runtime.devices import copy_on
from progressive.runtime.precision import fast_floats
from progressive.runtime.stopping import Stop, check, never
from progressive.segments.pieces import known_part, pieces, to_photo, with_margin
from progressive.segments.tiles import BLOCK, Layout, Window


class Renderer:
    """Makes pictures of tile states on one device."""

    def __init__(self, top_down: TopDown, device: str) -> None:
        self._device = torch.device(device)
        self._top_down = copy_on(top_down, device)

    def picture(self, layout: Layout, gammas: Gammas, tiles: Mapping[int, TileState], stop: Stop = never) -> Photo:
        """The picture of a photo's tiles, [H, W, 3]; mid-grey where nothing is known.

        Raises StoppedError if `stop`, asked before each piece, says so.
        """
        picture = np.full((layout.height, layout.width, 3), 128, np.uint8)
        if not tiles:
            return picture
        levels = _levels(layout, tiles)
        for whole in pieces(layout, MARGIN):
            piece = known_part(whole, levels > 0)
            if piece is None:
                continue
            check(stop)
            self._fill(layout, tiles, piece)
            around = with_margin(piece, layout, MARGIN)
            here = levels[around.slices(1)]
            pixels = self._pixels(layout, gammas, tiles, around, here)
            known = torch.from_numpy(here > 0).repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            pixels = torch.where(known, pixels, 128 / 255)[:, :, *piece.inside(around).slices(BLOCK)]
            place = picture[piece.slices(BLOCK)]
            place[:] = to_photo(pixels, *place.shape[:2])
        return picture

    def _fill(self, layout: Layout, tiles: Mapping[int, TileState], piece: Window) -> None:
        around = with_margin(piece, layout, MARGIN)
        for number, tile in tiles.items():
            if layout.window(number).common(around):
                tile.fill()

    def _pixels(
        self, layout: Layout, gammas: Gammas, tiles: Mapping[int, TileState], window: Window, levels: np.ndarray
    ) -> Tensor:
        own = gammas.cut(*window.slices(BLOCK // CELL)).to(self._device)
        values = [v * step for v, step in zip(self._values(layout, tiles, window), own.steps, strict=True)]
        _spread_brightness(values[0], levels > 0)
        linear = wavelets.synthesise(values)
        with fast_floats(self._device):
            found: Tensor = self._top_down(linear, values, own, torch.from_numpy(levels)[None].to(self._device))
        return found.float().cpu()

    def _values(self, layout: Layout, tiles: Mapping[int, TileState], piece: Window) -> list[Tensor]:
        """The coefficients of some blocks, in steps, all scales [1, C, h, w]; zero where nothing is known."""
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
            for scale, grid in enumerate(grids):
                blocks = tile.values(chosen, scale).to(self._device)
                grid[common.inside(piece).slices(1)] = blocks.reshape(common.height, common.width, *blocks.shape[1:])
        return [grid.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)[None] for grid in grids]


def _levels(layout: Layout, tiles: Mapping[int, TileState]) -> np.ndarray:
    """How many latents of each block of the photo are known, uint8 [rows, columns]."""
    levels = np.zeros((layout.rows, layout.columns), np.uint8)
    for number, tile in tiles.items():
        window = layout.window(number)
        levels[window.slices(1)] = tile.levels.reshape(window.height, window.width)
    return levels


def _spread_brightness(lowest: Tensor, known: np.ndarray) -> None:
    """Gives blocks of which nothing is known the lowest band of the nearest ones, so that they do not grey those.

    Args:
        lowest: the lowest band, [1, C, rows, columns]; changed in place.
        known: of each block, bool [rows, columns].
    """
    if known.all() or not known.any():
        return
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    rows, columns = (torch.from_numpy(where).to(lowest.device) for where in nearest.astype(np.int64))
    lowest.copy_(lowest[:, :, rows, columns])

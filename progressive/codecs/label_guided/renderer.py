"""One synthesis of whatever is known: dequantise, inverse transform, network; of large photos piece by piece."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.label_guided.classes import BLANK
from progressive.codecs.label_guided.groups import CHANNELS
from progressive.codecs.label_guided.layout import MARGIN, SIDE, Layout
from progressive.codecs.label_guided.linear import Linear
from progressive.codecs.label_guided.steps import step_of
from progressive.codecs.label_guided.synthesis import Synthesis
from progressive.codecs.label_guided.tile import TileState, from_blocks
from progressive.runtime.devices import copy_on
from progressive.runtime.precision import fast_floats
from progressive.runtime.stopping import Stop, check, never
from progressive.segments.pieces import known_part, pieces, to_photo, with_margin
from progressive.segments.tiles import BLOCK, Window

Levels = NDArray[np.uint8]
"""How many groups of each block of the photo are known, [rows, columns]."""


class Renderer:
    """Makes pictures of tile states on one device."""

    def __init__(self, linear: Linear, synthesis: Synthesis, device: str) -> None:
        self._device = torch.device(device)
        self._linear, self._synthesis = copy_on(linear, device), copy_on(synthesis, device)

    def picture(self, layout: Layout, level: int, tiles: Mapping[int, TileState], stop: Stop = never) -> Photo:
        """The picture of a photo's tiles, [H, W, 3]; mid-grey where nothing is known.

        Raises StoppedError if `stop`, asked before each piece, says so.
        """
        picture = np.full((layout.height, layout.width, 3), 128, np.uint8)
        levels = _levels(layout, tiles)
        for whole in pieces(layout, MARGIN):
            piece = known_part(whole, levels > 0)
            if piece is None:
                continue
            check(stop)
            around = with_margin(piece, layout, MARGIN)
            pixels = self._pixels(layout, level, tiles, around, levels[around.slices()])
            known = torch.from_numpy(levels[around.slices()] > 0)
            shown = known.repeat_interleave(BLOCK, 0).repeat_interleave(BLOCK, 1)
            pixels = torch.where(shown, pixels, 128 / 255)[:, :, *piece.inside(around).slices(BLOCK)]
            place = picture[piece.slices(BLOCK)]
            place[:] = to_photo(pixels, *place.shape[:2])
        return picture

    def _pixels(
        self, layout: Layout, level: int, tiles: Mapping[int, TileState], window: Window, levels: Levels
    ) -> Tensor:
        values, labels = self._state(layout, tiles, window)
        groups = torch.from_numpy(levels.astype(np.int64)).to(self._device)
        values, labels, groups = _spread(values, labels, groups, levels > 0)
        values = from_blocks(values.flatten(0, 1), window.height, window.width) * step_of(level)
        labels = from_blocks(labels.flatten(0, 1)[:, None], window.height, window.width)[:, 0]
        groups = groups.repeat_interleave(SIDE, 0).repeat_interleave(SIDE, 1)
        linear = self._linear.synthesise(values)
        levels_of = torch.tensor([level], device=self._device)
        with fast_floats(self._device):
            found: Tensor = self._synthesis(linear, values, labels, groups[None], levels_of)
        return found.float().cpu()

    def _state(self, layout: Layout, tiles: Mapping[int, TileState], piece: Window) -> tuple[Tensor, Tensor]:
        """Coefficients in steps and labels of some blocks, [rows, columns, C, 4, 4] and [rows, columns, 4, 4]."""
        values = torch.zeros(piece.height, piece.width, CHANNELS, SIDE, SIDE, device=self._device)
        labels = torch.full((piece.height, piece.width, SIDE, SIDE), BLANK, dtype=torch.int64, device=self._device)
        for number, tile in tiles.items():
            window = layout.window(number)
            common = window.common(piece)
            if common is None:
                continue
            inside, place = common.inside(window).slices(), common.inside(piece).slices()
            own = torch.unflatten(tile.values(), 0, (window.height, window.width))
            values[place] = own[inside].to(self._device)
            cells = tile.labels.reshape(window.height, SIDE, window.width, SIDE).transpose(1, 2)
            labels[place] = cells[inside].to(self._device)
        return values, labels


def _levels(layout: Layout, tiles: Mapping[int, TileState]) -> Levels:
    levels = np.zeros((layout.rows, layout.columns), np.uint8)
    for number, tile in tiles.items():
        window = layout.window(number)
        levels[window.slices()] = tile.levels.reshape(window.height, window.width)
    return levels


def _spread(values: Tensor, labels: Tensor, groups: Tensor, known: NDArray[np.bool_]) -> tuple[Tensor, Tensor, Tensor]:
    """Blocks of which nothing is known look like the nearest ones, so that they do not grey those.

    Args:
        values, labels, groups: [rows, columns, ...].
        known: of each block, [rows, columns].
    """
    if known.all() or not known.any():
        return values, labels, groups
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    rows, columns = (torch.from_numpy(where).to(values.device) for where in nearest.astype(np.int64))
    return values[rows, columns], labels[rows, columns], groups[rows, columns]

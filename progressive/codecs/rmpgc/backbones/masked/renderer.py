"""The picture of whatever is known of a photo's tiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped, zeros
from progressive.codecs.rmpgc.backbones.masked.model import Model
from progressive.codecs.rmpgc.backbones.masked.picture import picture_of
from progressive.codecs.rmpgc.backbones.masked.tile import TileState
from progressive.codecs.rmpgc.blocks import from_blocks, to_blocks
from progressive.codecs.rmpgc.layout import Layout
from progressive.runtime.stopping import Stop, never

States = NDArray[np.int64]
"""Of each block of the photo: nothing known, something of the base, the enhance layer, [rows, columns]."""

MISSING, BASE, ENHANCED = range(3)


class Renderer:
    """Makes pictures of tile states on one device."""

    def __init__(self, model: Model, device: str) -> None:
        self._model, self._device = model, torch.device(device)
        self._networks = model.networks_on(device)

    def picture(self, layout: Layout, tiles: Mapping[int, TileState], stop: Stop = never) -> Photo:
        """The picture of a photo's tiles, by number, [H, W, 3]; mid-grey where nothing is known.

        Raises StoppedError if `stop`, asked before each piece, says so.
        """
        states = _states(layout, tiles)
        layers = _spread(_layers(layout, tiles, self._model), states, self._model)
        mask = (states == ENHANCED).repeat(self._model.side, 0).repeat(self._model.side, 1)
        known = states != MISSING
        return picture_of(layers, mask, layout, self._model, self._networks, self._device, known, stop)


def _states(layout: Layout, tiles: Mapping[int, TileState]) -> States:
    states = np.full((layout.rows, layout.columns), MISSING)
    for number, tile in tiles.items():
        window = layout.window(number)
        known = np.where(tile.levels > 0, ENHANCED, BASE)
        states[window.slices(1)] = known.reshape(window.height, window.width)
    return states


def _layers(layout: Layout, tiles: Mapping[int, TileState], model: Model) -> list[Layer]:
    """All layers of the photo, zero where nothing is known."""
    shapes = model.coding.shapes
    whole = [zeros(shape, 1, layout.rows, layout.columns) for shape in shapes]
    for number, tile in tiles.items():
        window = layout.window(number)
        enhance = [from_blocks(part, window.height, window.width) for part in tile.enhance]
        for stage, layer in [*enumerate(tile.base), (len(shapes) - 1, enhance)]:
            for into, part, (_, side) in zip(whole[stage], layer, shapes[stage], strict=True):
                into[:, :, *window.slices(side)] = part.cpu()
    return whole


def _spread(layers: list[Layer], states: States, model: Model) -> list[Layer]:
    """Blocks of which nothing is known look like the nearest ones, so that they do not grey those."""
    missing = states == MISSING
    if not missing.any() or missing.all():
        return layers
    nearest = distance_transform_edt(missing, return_distances=False, return_indices=True)
    source = torch.from_numpy(np.ravel_multi_index(tuple(nearest), missing.shape).ravel().astype(np.int64))

    def spread(part: Tensor, side: int) -> Tensor:
        return from_blocks(to_blocks(part, side)[source], *missing.shape)

    return mapped(layers, model.coding.shapes, spread)

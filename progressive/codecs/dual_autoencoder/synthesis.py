"""From latents to a photo."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour, lattice
from progressive.codecs.dual_autoencoder.layout import BLOCK, CHROMA_GAIN, Layout, Window
from progressive.codecs.dual_autoencoder.model import Autoencoders, Floats, Model, from_blocks, kind_of
from progressive.codecs.dual_autoencoder.smoothing import HALO, SmoothingFilter
from progressive.codecs.dual_autoencoder.state import Component, empty_state, tile_of
from progressive.runtime.stopping import Stop, check, never

STRIP = 128
"""Rows of blocks that are made at a time, so that memory hardly grows with the photo."""

STRIP_HALO = HALO + 1
"""Rows around a strip that it depends on: the filter's, and one for G1's decoder; even, so that chroma has half."""


class Synthesis:
    """Linear decoders and the smoothing filter; `device` is where the filter runs ("cpu", "cuda")."""

    def __init__(self, model: Model, device: str) -> None:
        self._model = model
        self._device = torch.device(device)
        self._filter = SmoothingFilter()
        if model.filter:
            self._filter.load_state_dict({name: torch.from_numpy(t) for name, t in model.filter.items()})
        self._filter.to(self._device).eval()

    def picture(self, state: list[Component], layout: Layout, stop: Stop = never) -> Photo:
        """The photo that a state shows, [H, W, 3]: mid-grey in tiles of which nothing is known; what else is missing
        of the base is interpolated. Raises StoppedError if `stop`, asked before each strip, says so.
        """
        photo = grey_picture(layout)
        begun = begun_tiles(state, layout)
        if begun.all():
            filled = filled_in(state, layout)
            for top in range(0, layout.rows, STRIP):
                check(stop)
                self._show(photo, filled, layout, Window(top, 0, min(STRIP, layout.rows - top), layout.columns))
            return photo
        filled = filled_in(state, layout, begun)
        for number in np.flatnonzero(begun):
            check(stop)
            self._show(photo, filled, layout, layout.window(int(number)))
        return photo

    def _show(self, photo: Photo, state: list[Component], layout: Layout, window: Window) -> None:
        """Puts the pixels of a window into the photo, computed with as many blocks around as they depend on."""
        top, left = max(0, window.top - STRIP_HALO), max(0, window.left - STRIP_HALO)
        bottom = min(layout.rows, window.top + window.height + STRIP_HALO)
        right = min(layout.columns, window.left + window.width + STRIP_HALO)
        planes = []
        for index, component in enumerate(tile_of(state, Window(top, left, bottom - top, right - left))):
            blocks = linear_synthesis(component, self._model.autoencoders[kind_of(index)], chroma=index > 0)
            if index == 0:
                blocks = self._smooth(blocks, component)
            planes.append(from_blocks(blocks))
        first, end = window.left * BLOCK, min((window.left + window.width) * BLOCK, layout.width)
        place = photo[window.top * BLOCK : (window.top + window.height) * BLOCK, first:end]
        pixels = colour.to_photo(planes, end - left * BLOCK)
        place[:] = pixels[(window.top - top) * BLOCK :, (window.left - left) * BLOCK :][: len(place)]

    def _smooth(self, blocks: Floats, component: Component) -> Floats:
        tensor = torch.from_numpy(np.ascontiguousarray(blocks)).permute(2, 0, 1)[None].to(self._device)
        level = torch.from_numpy(np.ascontiguousarray(component.level))[None].to(self._device)
        detailed = torch.from_numpy(component.expert >= 0)[None].to(self._device)
        with torch.inference_mode():
            smooth: Floats = self._filter(tensor, level, detailed)[0].permute(1, 2, 0).cpu().numpy()
        return smooth


def linear_synthesis(component: Component, autoencoders: Autoencoders, *, chroma: bool) -> Floats:
    """What the linear decoders make of a component, [h, w, P]."""
    gain = np.float32(CHROMA_GAIN if chroma else 1)
    blocks = autoencoders.decode_calm(component.calm_values() / gain)
    outputs = component.detail_values(autoencoders) / gain
    for expert in range(autoencoders.experts):
        own = component.expert == expert
        blocks[own] += outputs[own] @ autoencoders.g2[expert]
    return blocks


def begun_tiles(state: list[Component], layout: Layout) -> NDArray[np.bool_]:
    """Of which tiles something is known: a tile's first block is in all that comes of it, [tiles]."""
    begun: NDArray[np.bool_] = state[0].known[:: layout.tile, :: layout.tile].ravel()
    return begun


def filled_in(state: list[Component], layout: Layout, begun: NDArray[np.bool_] | None = None) -> list[Component]:
    """The state with the missing parts of the base interpolated in the tiles that are begun, in all if left out.

    The state itself where nothing is missing.
    """
    if all(component.known.all() for component in state):
        return state
    filled = empty_state(layout)
    for number in range(layout.tiles) if begun is None else np.flatnonzero(begun):
        window = layout.window(int(number))
        for component, source in zip(tile_of(filled, window), tile_of(state, window), strict=True):
            component.assign(source)
            if not component.known.all():
                lattice.interpolate(component.base, component.known)
                component.calm[~component.known] = component.base[~component.known]
    return filled


def grey_picture(layout: Layout) -> Photo:
    """What is shown before anything has arrived: mid-grey."""
    return np.full((layout.height, layout.width, 3), 128, np.uint8)

"""From latents to a photo."""

from __future__ import annotations

import numpy as np
import torch

from progressive.codec import Photo
from progressive.codecs.dual_autoencoder import colour, lattice
from progressive.codecs.dual_autoencoder.layout import BLOCK, CHROMA_GAIN, Layout, Window
from progressive.codecs.dual_autoencoder.model import Autoencoders, Floats, Model, from_blocks, kind_of
from progressive.codecs.dual_autoencoder.smoothing import HALO, SmoothingFilter
from progressive.codecs.dual_autoencoder.state import Component, empty_state, tile_of

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

    def picture(self, state: list[Component], layout: Layout) -> Photo:
        """The photo that a state shows, [H, W, 3]. Missing parts of the base are interpolated."""
        filled = filled_in(state, layout)
        photo = np.empty((layout.height, layout.width, 3), np.uint8)
        for top in range(0, layout.rows, STRIP):
            rows = photo[top * BLOCK : (top + STRIP) * BLOCK]
            rows[:] = self._strip(filled, layout, top)[: len(rows)]
        return photo

    def _strip(self, state: list[Component], layout: Layout, top: int) -> Photo:
        """The pixels of STRIP rows of blocks, computed with as many rows around as they depend on."""
        first, last = max(0, top - STRIP_HALO), min(layout.rows, top + STRIP + STRIP_HALO)
        window = Window(first, 0, last - first, layout.columns)
        planes = []
        for index, component in enumerate(tile_of(state, window)):
            blocks = linear_synthesis(component, self._model.autoencoders[kind_of(index)], chroma=index > 0)
            if index == 0:
                blocks = self._smooth(blocks, component)
            planes.append(from_blocks(blocks))
        return colour.to_photo(planes, layout.width)[(top - first) * BLOCK :]

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


def filled_in(state: list[Component], layout: Layout) -> list[Component]:
    """The state with the missing parts of the base interpolated; the state itself where nothing is missing."""
    if all(component.known.all() for component in state):
        return state
    filled = empty_state(layout)
    for source, copy in zip(state, filled, strict=True):
        copy.assign(source)
    for number in range(layout.tiles):
        for component in tile_of(filled, layout.window(number)):
            if not component.known.all():
                lattice.interpolate(component.base, component.known)
                component.calm[~component.known] = component.base[~component.known]
    return filled


def grey_picture(layout: Layout) -> Photo:
    """What is shown before anything has arrived: mid-grey."""
    return np.full((layout.height, layout.width, 3), 128, np.uint8)

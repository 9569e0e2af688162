"""The backbone as the codec is given it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import Objective, Photo
from progressive.codecs.rmpgc.backbone import Coded
from progressive.codecs.rmpgc.backbones.multiscale.colours import SIZE, Colours
from progressive.codecs.rmpgc.backbones.multiscale.encoder import code_tiles
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding, Model
from progressive.codecs.rmpgc.backbones.multiscale.picture import latent_of
from progressive.codecs.rmpgc.backbones.multiscale.renderer import Renderer
from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH
from progressive.codecs.rmpgc.backbones.multiscale.search import ROUNDS, searched
from progressive.codecs.rmpgc.backbones.multiscale.tile import TileState
from progressive.codecs.rmpgc.importance import block_importance
from progressive.codecs.rmpgc.layout import Depth, Layout, Window
from progressive.exact.tables import FrequencyTable
from progressive.looks import LOOKS
from progressive.runtime.stopping import Stop
from progressive.runtime.threads import one_thread
from progressive.semantics.coarse_map import CoarseMap


class Multiscale(Model):
    """Colour axes of a photo's own, six levels of 9/7 with learned lifting, seven scales in nested planes.

    photo ─ colours, 9/7, lifting ─ latent of 7 scales ─┬─ plane 0 of all scales ─> base: a chain, coarsest scale first
                                                         └─ planes 1.. of each block of 64 pixels ─> enhance
    """

    @property
    def name(self) -> str:
        return "rmpgc"

    @property
    def depth(self) -> Depth:
        return DEPTH

    @property
    def tables(self) -> Mapping[str, FrequencyTable]:
        return self.coding.tables

    @property
    def objective(self) -> Objective:
        return "fidelity"

    @property
    def looks(self) -> tuple[str, ...]:
        return tuple(LOOKS)

    def prepare_look(self, look: str) -> None:
        self.synthesis_of(look)

    @property
    def parameters_size(self) -> int:
        return SIZE

    def check_parameters(self, parameters: bytes) -> None:
        Colours.from_bytes(parameters)

    @property
    def searches(self) -> bool:
        return True

    def code(self, photo: Photo, layout: Layout, effort: int = 0, budget: int | None = None) -> Coded:
        colours = Colours.of(photo)
        with one_thread():  # so that the same photo gives the same bytes on any number of threads
            with torch.inference_mode():
                latent = latent_of(photo, layout, lambda rgb: self.analyse(colours.turned(rgb)))
            if effort:
                latent = searched(self, latent, photo, layout, colours, ROUNDS[effort])
        return Coded(colours.to_bytes(), code_tiles(latent, layout, self.coding, budget))

    def weights(self, coded: Coded, layout: Layout, meaning: CoarseMap | None, context: str) -> NDArray[np.float64]:
        return block_importance(meaning, layout, context)

    def decoding(self, device: str) -> MultiscaleDecoding:
        return MultiscaleDecoding(self.coding_on(device), Renderer(self, device))


class MultiscaleDecoding:
    """The networks on a device."""

    def __init__(self, coding: Coding, renderer: Renderer) -> None:
        self._coding, self._renderer = coding, renderer
        self._colours = cache(Colours.from_bytes)

    def tile(self, window: Window) -> TileState:
        return TileState(window.height, window.width, self._coding)

    def picture(
        self, layout: Layout, tiles: Mapping[int, TileState], parameters: bytes, stop: Stop, look: str
    ) -> Photo:
        with torch.inference_mode():
            return self._renderer.picture(layout, tiles, self._colours(parameters), stop, look)

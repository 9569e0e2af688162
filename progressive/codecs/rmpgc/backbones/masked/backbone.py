"""A masked model as the scheme is given it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from progressive.codec import FAITHFUL, Objective, Photo
from progressive.codecs.rmpgc.backbone import Coded
from progressive.codecs.rmpgc.backbones.masked.allocation import weights_of_blocks
from progressive.codecs.rmpgc.backbones.masked.encoder import coded_tiles
from progressive.codecs.rmpgc.backbones.masked.model import Model
from progressive.codecs.rmpgc.backbones.masked.renderer import Renderer
from progressive.codecs.rmpgc.backbones.masked.tile import TileState
from progressive.codecs.rmpgc.layout import Depth, Layout, Window
from progressive.errors import BitstreamError
from progressive.exact.tables import FrequencyTable
from progressive.runtime.stopping import Stop
from progressive.runtime.threads import one_thread
from progressive.semantics.coarse_map import CoarseMap


class MaskedBackbone:
    """RMPGC as in the paper (Fig. 9): the base whole, the enhance layer where a mask says so, block by block.

    photo ─ encoder ─ layers ─┬─ base: stages of each tile, one after the other ────╮
                              └─ enhance: blocks in the order of I (Eq. 12) ────────┴─> segments
    """

    def __init__(self, name: str, model: Model) -> None:
        """`name` is that of the codec."""
        self.name, self.model = name, model

    @property
    def depth(self) -> Depth:
        return Depth(stages=len(self.model.coding.shapes) - 1, planes=1, tiers=1)

    @property
    def id(self) -> bytes:
        return self.model.id

    @property
    def tables(self) -> Mapping[str, FrequencyTable]:
        return self.model.coding.tables

    @property
    def objective(self) -> Objective:
        return "fidelity"

    @property
    def looks(self) -> tuple[str, ...]:
        return (FAITHFUL,)

    def prepare_look(self, look: str) -> None:
        """The only look is there always."""

    @property
    def parameters_size(self) -> int:
        return 0

    def check_parameters(self, parameters: bytes) -> None:
        if parameters:
            raise BitstreamError("the header has parameters that this backbone does not know")

    @property
    def searches(self) -> bool:
        return False

    def code(self, photo: Photo, layout: Layout, effort: int = 0, budget: int | None = None) -> Coded:
        with torch.inference_mode(), one_thread():
            return Coded(b"", list(coded_tiles(photo, layout, self.model)))

    def weights(self, coded: Coded, layout: Layout, meaning: CoarseMap | None, context: str) -> NDArray[np.float64]:
        return weights_of_blocks(coded, layout, self.model.side, meaning, context)

    def decoding(self, device: str) -> MaskedDecoding:
        return MaskedDecoding(self.model, device)


class MaskedDecoding:
    """The model on a device."""

    def __init__(self, model: Model, device: str) -> None:
        self._coding, self._renderer = model.coding_on(device), Renderer(model, device)

    def tile(self, window: Window) -> TileState:
        return TileState(window.height, window.width, self._coding)

    def picture(
        self, layout: Layout, tiles: Mapping[int, TileState], parameters: bytes, stop: Stop, look: str
    ) -> Photo:
        with torch.inference_mode():
            return self._renderer.picture(layout, tiles, stop)

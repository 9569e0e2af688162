"""The state of one tile: stages of its base, and the enhance layer of some of its blocks.

Legend: B blocks of the tile, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from progressive.codecs.rmpgc.backbones.masked.latent import Layer, mapped, zeros
from progressive.codecs.rmpgc.backbones.masked.model import Coding
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import RangeSymbolDecoder, SymbolCoder


@dataclass(frozen=True)
class Enhanced:
    """The enhance layer of some blocks. Fields: their numbers; the layer, of these blocks."""

    blocks: list[int]
    layer: Layer

    def only(self, blocks: list[int]) -> Enhanced:
        """Of some of them."""
        places = [self.blocks.index(block) for block in blocks]
        return Enhanced(blocks, [part[places] for part in self.layer])


class TileState:
    """What is known of a tile; nothing changes until `keep_...`, so a damaged segment leaves no trace.

    Args:
        rows, columns: of blocks.
        coding: the model's; the state lives on its device.
    """

    def __init__(self, rows: int, columns: int, coding: Coding) -> None:
        self.rows, self.columns, self._coding = rows, columns, coding
        self.base: list[Layer] = []
        """The stages that are known, each of the whole tile."""
        self.enhance = zeros(coding.shapes[-1], rows * columns, 1, 1, coding.device)
        """The enhance layer of each block, zero where it is not known."""
        self.levels = np.zeros(rows * columns, np.uint8)
        self.by_activity: tuple[int, ...] = ()

    @property
    def stages(self) -> int:
        return len(self.base)

    @property
    def base_complete(self) -> bool:
        return self.stages == len(self._coding.shapes) - 1

    def decoder_of(self, code: bytes) -> RangeSymbolDecoder:
        return RangeSymbolDecoder(self._coding.tables, code)

    def code_stages(self, coder: SymbolCoder, count: int, wanted: Sequence[Layer] | None = None) -> list[Layer]:
        """Codes the next stages of the base; `wanted`, for an encoder, are all layers of the tile."""
        known = list(self.base)
        for stage in range(self.stages, self.stages + count):
            own = None if wanted is None else wanted[stage]
            known.append(self._coding.code(coder, stage, known, 1, self.rows, self.columns, own))
        return known[self.stages :]

    def keep_stages(self, results: list[Layer]) -> None:
        self.base += results
        if self.base_complete:
            blocks = [part for layer in self._blocks_of_base() for part in layer]
            sizes = torch.stack([part.abs().sum((1, 2, 3), dtype=torch.int64) for part in blocks]).sum(0)
            self.by_activity = tuple(np.argsort(-sizes.cpu().numpy(), kind="stable").tolist())

    def code_level(self, coder: SymbolCoder, level: int, blocks: list[int], wanted: Layer | None = None) -> Enhanced:
        """Codes the enhance layer of some blocks; `wanted`, for an encoder, is that of these blocks."""
        known = [[part[blocks] for part in layer] for layer in self._blocks_of_base()]
        return Enhanced(blocks, self._coding.code(coder, self.stages, known, len(blocks), 1, 1, wanted))

    def keep_level(self, result: Enhanced) -> None:
        if not result.blocks:
            return
        for part, found in zip(self.enhance, result.layer, strict=True):
            part[result.blocks] = found
        self.levels[result.blocks] = 1

    def _blocks_of_base(self) -> list[Layer]:
        return mapped(self.base, self._coding.shapes[: self.stages], to_blocks)

"""What a masked backbone is made of: integers that are coded exactly, and networks around them.

Legend: H, W of a picture of whole blocks; h x w positions of masks; C channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.masked.latent import Layer, LayerShape
from progressive.exact.coders import SymbolCoder
from progressive.exact.tables import FrequencyTable


class Coding(Protocol):
    """How likely the integers of each layer are: the same on every machine."""

    @property
    def device(self) -> torch.device: ...

    @property
    def tables(self) -> Mapping[str, FrequencyTable]: ...

    @property
    def shapes(self) -> tuple[LayerShape, ...]:
        """Of the stages of the base, then of the enhance layer."""
        ...

    def code(
        self,
        coder: SymbolCoder,
        layer: int,
        known: Sequence[Layer],
        items: int,
        rows: int,
        columns: int,
        wanted: Layer | None,
    ) -> Layer:
        """Passes a layer through a coder, which is told the item of each symbol as its block.

        Args:
            coder: of the segment.
            layer: its number. A stage of the base is a tile's, one item; of the enhance layer each block is one.
            known: the layers before it, of the same items.
            items: how many.
            rows, columns: of blocks, of an item.
            wanted: for an encoder, what to write.
        """
        ...


class Networks(Protocol):
    """The decoder's, on one device."""

    def synthesise(self, layers: Sequence[Layer], mask: Tensor) -> Tensor:
        """The picture of all layers, RGB around 0..1 [1, 3, H, W]; of its parts it looks the same as of the whole.

        Args:
            layers: zero where nothing is known.
            mask: 1 where the enhance layer is known, 0 elsewhere, [1, 1, h, w].
        """
        ...


class Model(Protocol):
    """A trained masked backbone."""

    @property
    def id(self) -> bytes:
        """Eight bytes that name what decides the integers."""
        ...

    @property
    def coding(self) -> Coding: ...

    @property
    def margin(self) -> int:
        """Blocks around a piece of a photo that its networks feel."""
        ...

    @property
    def side(self) -> int:
        """Positions of masks along a side of a block."""
        ...

    def coding_on(self, device: str) -> Coding:
        """Raises UsageError if a device does not compute exactly."""
        ...

    def networks_on(self, device: str) -> Networks: ...

    def latent_of(self, pixels: Tensor) -> list[Layer]:
        """All layers of a picture, RGB in 0..1 [1, 3, H, W]."""
        ...

    def channels_of(self, layers: Sequence[Layer]) -> Tensor:
        """The channels whose variance is a position's complexity (LCM, RMPGC Eq. 9), float [1, C, h, w]."""
        ...

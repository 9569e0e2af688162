"""Latents in layers of parts, for a whole photo, a tile or some blocks.

A **layer** is what is coded at once: a stage of the base, or the enhance layer, the last. Its parts are integers, int16
[N, C, h, w], in the order in which they are coded, each with its own positions a side of a block.

Legend: N items; B blocks; C channels; s x s positions in a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from progressive.segments.tiles import Window

Layer = list[Tensor]

LayerShape = tuple[tuple[int, int], ...]
"""Of each part: channels, and positions a side of a block."""


def zeros(shape: LayerShape, items: int, rows: int, columns: int, device: torch.device | str = "cpu") -> Layer:
    """A layer of which nothing is known, of items of so many blocks."""
    return [
        torch.zeros(items, channels, rows * side, columns * side, dtype=torch.int16, device=device)
        for channels, side in shape
    ]


def cut(layers: Sequence[Layer], shapes: Sequence[LayerShape], window: Window) -> list[Layer]:
    """Some blocks of every part."""
    return mapped(layers, shapes, lambda part, side: part[:, :, *window.slices(side)])


def mapped(
    layers: Sequence[Layer], shapes: Sequence[LayerShape], change: Callable[[Tensor, int], Tensor]
) -> list[Layer]:
    """Every part changed: (it, its positions a side of a block) -> another."""
    return [
        [change(part, side) for part, (_, side) in zip(layer, shape, strict=True)]
        for layer, shape in zip(layers, shapes, strict=True)
    ]

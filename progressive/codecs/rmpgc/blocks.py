"""Coefficients of photos by blocks, and back.

Legend: N photos of R x K blocks; C coefficients a position; s x s positions in a block.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def to_blocks(values: Tensor, side: int) -> Tensor:
    """[N, C, R * s, K * s] -> [N * R * K, C, s, s], channels_last: a photo's blocks row by row."""
    count, channels, height, width = values.shape
    grid = values.reshape(count, channels, height // side, side, width // side, side)
    blocks = grid.permute(0, 2, 4, 1, 3, 5).reshape(-1, channels, side, side)
    return blocks.contiguous(memory_format=torch.channels_last)


def from_blocks(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `to_blocks`, for photos of so many blocks."""
    _, channels, side, _ = blocks.shape
    grid = blocks.reshape(-1, rows, columns, channels, side, side).permute(0, 3, 1, 4, 2, 5)
    return grid.reshape(-1, channels, rows * side, columns * side)


def taken(blocks: Tensor, chosen: Tensor) -> Tensor:
    """Some of the blocks, int64 [M], as tensors of their own; all [N, C, s, s] in channels_last order.

    Indexing would copy value by value.
    """
    return _positions_first(blocks).index_select(0, chosen).permute(0, 3, 1, 2)


def together(each: Sequence[Tensor]) -> Tensor:
    """Blocks of several photos as one tensor, those of the first photo first."""
    return each[0] if len(each) == 1 else torch.cat([_positions_first(t) for t in each]).permute(0, 3, 1, 2)


def put(values: Tensor, chosen: Tensor, into: Tensor) -> None:
    """Puts values in the place of some blocks."""
    _positions_first(into).index_copy_(0, chosen, _positions_first(values))


def _positions_first(blocks: Tensor) -> Tensor:
    return blocks.permute(0, 2, 3, 1)

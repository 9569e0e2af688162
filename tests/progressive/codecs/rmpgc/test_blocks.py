from __future__ import annotations

import torch

from progressive.codecs.rmpgc.blocks import from_blocks, to_blocks


def test_blocks_go_apart_photo_by_photo_and_row_by_row() -> None:
    grid = torch.rand(2, 3, 16, 24)
    blocks = to_blocks(grid, 8)
    assert blocks.shape == (12, 3, 8, 8)
    for number in range(12):
        photo, row, column = number // 6, number % 6 // 3, number % 3
        inside = grid[photo, :, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8]
        assert torch.equal(blocks[number], inside)
    assert torch.equal(from_blocks(blocks, 2, 3), grid)

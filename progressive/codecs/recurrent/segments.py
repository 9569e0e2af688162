"""The payload of each segment: which tile, tier and iteration, then the codes.

| bytes | what |
|-|-|
| 2 | tile; only where the photo has several |
| 1 | tier of the tile |
| 1 | iteration, 0..23; plus 128 if the codes follow as they are |
| . | range code, or 32 bits a cell in raster order, first code in the highest bit |

A segment needs the segment of its tier for the iteration before.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from progressive.codecs.recurrent.context import EACH, ContextNetwork, Pass, passes, row_of
from progressive.codecs.recurrent.layout import BITS, ITERATIONS
from progressive.codecs.recurrent.tiers import CODE_BYTES, Bools
from progressive.errors import BitstreamError
from progressive.exact.coders import SymbolCoder

TABLE = "codes"

RAW = 0x80

_TILE, _PLACE = struct.Struct("!H"), struct.Struct("!BB")

LARGEST_PREFIX = _TILE.size + _PLACE.size


@dataclass(frozen=True)
class Contents:
    """What a payload says it holds.

    Fields:
        tile, tier, iteration: of what; iterations from 0.
        raw: whether the codes follow as they are.
        code: the rest.
    """

    tile: int
    tier: int
    iteration: int
    raw: bool
    code: bytes

    def to_bytes(self, tiles: int) -> bytes:
        """The payload, in a photo of so many tiles."""
        place = _PLACE.pack(self.tier, self.iteration | (RAW if self.raw else 0))
        return (_TILE.pack(self.tile) if tiles > 1 else b"") + place + self.code

    @classmethod
    def from_bytes(cls, data: bytes, tiles: int) -> Contents:
        """Raises BitstreamError if the bytes are too few, or name a tile or an iteration that there cannot be."""
        size = (_TILE.size if tiles > 1 else 0) + _PLACE.size
        if len(data) < size:
            raise BitstreamError("a segment is shorter than its prefix")
        tile = _TILE.unpack_from(data)[0] if tiles > 1 else 0
        tier, iteration = _PLACE.unpack_from(data, size - _PLACE.size)
        if tile >= tiles or iteration & ~RAW >= ITERATIONS:
            raise BitstreamError(
                f"a segment claims tile {tile}, iteration {iteration & ~RAW}, which this stream does not have"
            )
        return cls(tile, tier, iteration & ~RAW, bool(iteration & RAW), data[size:])


def to_raw(codes: Tensor, cells: Bools) -> bytes:
    """Codes of some cells as they are, int8 [B, h, w]."""
    bits = (codes.numpy()[:, cells] > 0).T
    return np.packbits(bits, axis=1).tobytes()


def from_raw(data: bytes, cells: Bools) -> Tensor:
    """The inverse of `to_raw`, zero elsewhere; raises BitstreamError for another number of bytes."""
    count = int(cells.sum())
    if len(data) != count * CODE_BYTES:
        raise BitstreamError(f"codes of {count} cells take {count * CODE_BYTES} bytes, not {len(data)}")
    bits = np.unpackbits(np.frombuffer(data, np.uint8)).reshape(count, BITS)
    codes = np.zeros((BITS, *cells.shape), np.int8)
    codes[:, cells] = np.where(bits.T, 1, -1)
    return torch.from_numpy(codes)


def code_iteration(
    coders: Sequence[SymbolCoder],
    network: ContextNetwork,
    iteration: int,
    before: list[Tensor],
    groups: Sequence[Bools],
    truth: Tensor | None = None,
) -> list[Tensor]:
    """Passes the codes of groups of cells of a tile through coders, one for each group.

    Args:
        network: exact.
        before: codes of the tile's iterations before, int8 [B, h, w] each.
        groups: True at their cells, [h, w] each.
        truth: the codes of this iteration, of all groups; None to decode.
    Returns:
        the codes of each group, zero at other cells.
    """
    device = next(network.parameters()).device
    count, shape = len(groups), groups[0].shape
    coded = torch.zeros(count, BITS, *shape, dtype=torch.int8)
    places = [{each.parity: torch.from_numpy(g) & each.cells(coded) for each in passes()} for g in groups]

    def code_pass(each: Pass, odds: Tensor) -> Tensor:
        rows = row_of(odds.cpu())
        for number, coder in enumerate(coders):
            here = places[number][each.parity]
            own = rows[number][:, here].flatten().numpy()
            known = np.zeros(len(own), np.int32)
            if truth is not None:
                known = (truth[each.codes][:, here] > 0).flatten().numpy().astype(np.int32)
            found = coder.code(TABLE, own, known, np.zeros(len(own), np.intp))
            coded[number, each.codes, here] = torch.from_numpy(found.astype(np.int8) * 2 - 1).view(EACH, -1)
        return coded[:, each.codes].to(device)

    known = [each.expand(count, *each.shape).to(device) for each in before]
    network.code(iteration, known, torch.from_numpy(np.stack(groups))[:, None].to(device), code_pass)
    return list(coded)

"""The payload of each segment: three bytes that say what it holds, then a range code.

All numbers in network order.

| segment | bytes |
|---|---|
| coarse base | tile (2), 0, range code of the coarse lattice of every component |
| fine base | tile (2), 1, first luma row of a band (1), its rows (1), range code |
| plane p | tile (2), 2 + p, set of regions (a bit each, row by row, first in the highest, padded to bytes), code |

Every component of a tile is in the same segment. A band starts at a multiple of 4 rows. Segments of a tile need its
coarse base; planes also need all of its bands, and the plane before of each of their regions.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codecs.dual_autoencoder import lattice
from progressive.codecs.dual_autoencoder.detail import code_plane
from progressive.codecs.dual_autoencoder.layout import PLANES, Layout
from progressive.codecs.dual_autoencoder.model import Model, kind_of
from progressive.codecs.dual_autoencoder.state import Bools, Component, Ints, Target
from progressive.errors import BitstreamError
from progressive.exact.coders import SymbolCoder

COARSE, FINE, FIRST_PLANE = 0, 1, 2
BAND_ROWS = 4

_PREFIX = struct.Struct("!HB")

RegionSet = NDArray[np.bool_]
"""Which regions of a tile, [rows, columns] of regions."""


@dataclass(frozen=True)
class Contents:
    """What a payload says it holds: the parsed form of its first bytes.

    Fields:
        tile: number of the tile.
        stage: COARSE, FINE, or FIRST_PLANE + plane.
        band: first luma row and number of rows, for FINE.
        regions: for planes.
        code: the range code.
    """

    tile: int
    stage: int
    band: tuple[int, int] = (0, 0)
    regions: RegionSet | None = None
    code: bytes = b""

    def named(self) -> list[int]:
        """Numbers of the regions, row by row; none for the base."""
        return [] if self.regions is None else [int(r) for r in np.flatnonzero(self.regions)]

    @property
    def layer(self) -> int:
        """0 for the base, 1.. for the planes."""
        return max(0, self.stage - FIRST_PLANE + 1)

    def to_bytes(self) -> bytes:
        prefix = _PREFIX.pack(self.tile, self.stage)
        if self.stage == FINE:
            prefix += bytes(self.band)
        if self.regions is not None:
            prefix += np.packbits(self.regions.ravel()).tobytes()
        return prefix + self.code

    @classmethod
    def from_bytes(cls, data: bytes, layout: Layout) -> Contents:
        """Raises BitstreamError where the bytes name something that the layout does not have."""
        if len(data) < _PREFIX.size:
            raise BitstreamError("a segment is shorter than its prefix")
        tile, stage = _PREFIX.unpack_from(data)
        rest = data[_PREFIX.size :]
        if tile >= layout.tiles or stage >= FIRST_PLANE + PLANES:
            raise BitstreamError(f"a segment claims tile {tile}, stage {stage}, which this stream does not have")
        window = layout.window(tile)
        if stage == COARSE:
            return cls(tile, stage, code=rest)
        if stage == FINE:
            first, rows = rest[:2] if len(rest) >= 2 else (0, 0)
            if not rows or first % BAND_ROWS or first + rows > window.height or rows % 2:
                raise BitstreamError("a base segment claims rows that its tile does not have")
            return cls(tile, stage, (first, rows), code=rest[2:])
        shape = layout.regions(window)
        count = shape[0] * shape[1]
        size = -(-count // 8)
        bits = np.unpackbits(np.frombuffer(rest[:size], np.uint8))
        if len(rest) < size or bits[count:].any() or not bits.any():
            raise BitstreamError("an enhance segment claims regions that its tile does not have")
        return cls(tile, stage, regions=bits[:count].astype(bool).reshape(shape), code=rest[size:])


def bands(height: int, rows: int) -> list[tuple[int, int]]:
    """Cuts the luma rows of a tile into bands of this many rows (a multiple of BAND_ROWS)."""
    return [(top, min(rows, height - top)) for top in range(0, height, rows)]


def code_base(coder: SymbolCoder, contents: Contents, tile: list[Component], truth: list[Ints]) -> None:
    """Codes a base segment into the components of a tile. A band sees the coarse lattice and itself, no other band."""
    first, rows = contents.band
    for index, component in enumerate(tile):
        height, width = component.base.shape
        seen = component.known.copy()
        if contents.stage == COARSE:
            passes = lattice.coarse_passes(height, width)
        else:
            seen[1::2], seen[:, 1::2] = False, False
            divisor = 2 if index else 1
            passes = lattice.fine_passes(first // divisor, rows // divisor, width)
        table = f"{kind_of(index)}.base"
        lattice.code_passes(coder, table, passes, component.base, seen, truth[index])
        component.known |= seen
        component.calm[:] = component.base


def code_enhance(
    coder: SymbolCoder,
    model: Model,
    plane: int,
    regions: RegionSet,
    layout: Layout,
    tile: list[Component],
    targets: list[Target] | None,
) -> None:
    """Codes one plane of some regions into the components of a tile."""
    for index in range(len(tile)):
        target = None if targets is None else targets[index]
        code_enhance_component(coder, model, plane, regions, layout, tile[index], target, index)


def code_enhance_component(
    coder: SymbolCoder,
    model: Model,
    plane: int,
    regions: RegionSet,
    layout: Layout,
    component: Component,
    target: Target | None,
    index: int,
) -> None:
    """Codes one plane of some regions of one component."""
    kind = kind_of(index)
    blocks = blocks_of(regions, layout, component, chroma=index > 0)
    code_plane(coder, kind, model.autoencoders[kind].experts, plane, blocks, component, target)


def blocks_of(regions: RegionSet, layout: Layout, component: Component, *, chroma: bool) -> Bools:
    """The blocks of a component that lie in the regions, [h, w]."""
    side = layout.region // (2 if chroma else 1)
    height, width = component.base.shape
    blocks: Bools = regions.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    return blocks

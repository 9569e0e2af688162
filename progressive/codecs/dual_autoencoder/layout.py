"""Where things are: components, blocks, regions and tiles, and the steps that quantise them.

Shapes here: H, W photo; h, w blocks of a component; N blocks; K experts; O outputs; P = 64 pixels of a block.

A component (luma, or Cb or Cr at half the resolution) is cut into blocks of 8x8 samples. A **tile** is a square of up
to 64x64 luma blocks with a base of its own; a **region** is a small square of luma blocks, with the chroma blocks that
cover it, and the unit of the enhance layers.
"""

from __future__ import annotations

from dataclasses import dataclass

from progressive.errors import BitstreamError
from progressive.stream import StreamHeader

BLOCK = 8
PIXELS = BLOCK * BLOCK
OUTPUTS = 8
"""Outputs of the autoencoder for detailed blocks (G2); the one for calm blocks (G1) has one."""

REGION_SIDES = (8, 4, 2)

BASE_STEP = 64
"""Quantiser step of G1 in the base, in units of an orthonormal basis over 8-bit samples."""

PLANE_STEPS = (128, 64, 32, 16, 8)
"""Steps of the enhance planes. Halving nests: each bin of a plane lies in one bin of the plane before."""

PLANES = len(PLANE_STEPS)

CHROMA_GAIN = 2.0
"""A chroma sample covers four pixels, so its latents are worth twice as much: they are scaled before quantisation."""

MAX_LATENT = PLANE_STEPS[0] * 16
"""Latents are clipped to less than this, so that the first plane needs no escape symbol."""


def step_after(level: int) -> int:
    """Step of G1 in a block that has reached this level (0: only the base)."""
    return BASE_STEP if level == 0 else min(BASE_STEP, PLANE_STEPS[level - 1])


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of luma blocks, in blocks; every number is even, so that chroma has exactly half of each."""

    top: int
    left: int
    height: int
    width: int

    def slices(self, chroma: bool) -> tuple[slice, slice]:
        d = 2 if chroma else 1
        return (
            slice(self.top // d, (self.top + self.height) // d),
            slice(self.left // d, (self.left + self.width) // d),
        )


@dataclass(frozen=True, slots=True)
class Layout:
    """The geometry that a stream header fixes.

    Fields:
        width, height: of the photo, in pixels.
        components: 1 for a grey photo, 3 for Y'CbCr 4:2:0.
        region: side of a region in luma blocks: 8, 4 or 2, the smaller the smaller the packets.
    """

    width: int
    height: int
    components: int
    region: int = 8

    @property
    def tile(self) -> int:
        """Side of a tile in luma blocks: eight regions, so that a set of regions is at most eight bytes."""
        return 8 * self.region

    @property
    def rows(self) -> int:
        """Luma blocks from top to bottom, padded to an even number."""
        return -(-self.height // (2 * BLOCK)) * 2

    @property
    def columns(self) -> int:
        """Luma blocks from left to right, padded to an even number."""
        return -(-self.width // (2 * BLOCK)) * 2

    @property
    def tile_columns(self) -> int:
        return -(-self.columns // self.tile)

    @property
    def tiles(self) -> int:
        return -(-self.rows // self.tile) * self.tile_columns

    def regions(self, window: Window) -> tuple[int, int]:
        """Rows and columns of regions in a tile, at most 8 each."""
        return -(-window.height // self.region), -(-window.width // self.region)

    def window(self, tile: int) -> Window:
        """The blocks of a tile; tiles are numbered row by row."""
        top, left = (tile // self.tile_columns) * self.tile, (tile % self.tile_columns) * self.tile
        return Window(top, left, min(self.tile, self.rows - top), min(self.tile, self.columns - left))

    def to_parameters(self) -> bytes:
        return bytes([self.components, self.region])

    @classmethod
    def from_header(cls, header: StreamHeader) -> Layout:
        """Raises BitstreamError if the codec's parameters in the header are not two sound bytes."""
        if len(header.parameters) != 2:
            raise BitstreamError("a dual_autoencoder header has two bytes of parameters")
        components, region = header.parameters
        if components not in (1, 3) or region not in REGION_SIDES:
            raise BitstreamError(f"impossible dual_autoencoder parameters {header.parameters.hex()}")
        return cls(header.width, header.height, components, region)

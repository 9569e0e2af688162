"""What the scheme asks of a backbone: a latent whose base comes in stages and whose blocks take level after level.

The scheme orders, packs, names and takes in segments; a backbone knows what is in them.

Legend: B blocks of a tile, row by row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Objective, Photo
from progressive.codecs.rmpgc.layout import Depth, Layout, Window
from progressive.exact.coders import RangeSymbolDecoder, SymbolCoder
from progressive.exact.records import Recorder
from progressive.exact.tables import FrequencyTable
from progressive.runtime.stopping import Stop
from progressive.semantics.coarse_map import CoarseMap


@dataclass(frozen=True)
class CodedTile:
    """A tile as it can be sent.

    Fields:
        window: its blocks in the photo.
        stages: the base, a record a stage.
        levels: the enhance levels that were coded, a record a level, of all blocks.
        by_activity: its blocks as the base lists them.
        bits: what each block costs at each level, [levels, B].
        gains: squared error, in 8-bit steps summed over samples, that each level removes from each block, [levels, B].
        base_gains: what each stage of the base removes from the whole tile, [stages].
    """

    window: Window
    stages: list[Recorder]
    levels: list[Recorder]
    by_activity: tuple[int, ...]
    bits: NDArray[np.float64]
    gains: NDArray[np.float64]
    base_gains: NDArray[np.float64]


@dataclass(frozen=True)
class Coded:
    """A photo as it can be sent. Fields: what the header has to tell of it; its tiles."""

    parameters: bytes
    tiles: list[CodedTile]


class LevelOf(Protocol):
    """What a level made known of some blocks."""

    def only(self, blocks: list[int]) -> LevelOf:
        """Of some of them."""
        ...


class Tile(Protocol):
    """What a receiver knows of a tile; nothing changes until `keep_...`, so a damaged segment leaves no trace.

    Fields:
        rows, columns: of blocks.
        levels: of each block, [B]; 0 for the base.
        by_activity: the blocks as the base lists them, once it is whole.
    """

    rows: int
    columns: int
    levels: NDArray[np.uint8]
    by_activity: tuple[int, ...]

    @property
    def stages(self) -> int:
        """How many stages of the base are known."""
        ...

    @property
    def base_complete(self) -> bool: ...

    def decoder_of(self, code: bytes) -> RangeSymbolDecoder:
        """What reads the symbols of a range code."""
        ...

    def code_stages(self, coder: SymbolCoder, count: int) -> Any:
        """Decodes the next stages of the base."""
        ...

    def keep_stages(self, results: Any) -> None: ...

    def code_level(self, coder: SymbolCoder, level: int, blocks: list[int]) -> Any:
        """Decodes a level of some blocks, all of which are one level below: a `LevelOf`."""
        ...

    def keep_level(self, result: Any) -> None: ...


class Decoding(Protocol):
    """A backbone that decodes on one device."""

    def tile(self, window: Window) -> Tile:
        """A tile of which nothing is known."""
        ...

    def picture(self, layout: Layout, tiles: Mapping[int, Any], parameters: bytes, stop: Stop, look: str) -> Photo:
        """The picture of a photo's tiles, by number, [H, W, 3], in a look; mid-grey where nothing is known.

        Raises StoppedError if `stop`, asked before each piece, says so.
        """
        ...


class Backbone(Protocol):
    """Makes a layered latent of a photo, and pictures of what is known of it."""

    @property
    def name(self) -> str:
        """Of the codec that the scheme is with it."""
        ...

    @property
    def depth(self) -> Depth: ...

    @property
    def id(self) -> bytes:
        """Eight bytes that name what decides the latents."""
        ...

    @property
    def tables(self) -> Mapping[str, FrequencyTable]:
        """Of the symbols in its records."""
        ...

    @property
    def objective(self) -> Objective:
        """What its pictures are made for."""
        ...

    @property
    def looks(self) -> tuple[str, ...]:
        """How its pictures can look (`progressive.looks`)."""
        ...

    def prepare_look(self, look: str) -> None:
        """Loads what a look needs; raises UsageError if it is missing or damaged."""
        ...

    @property
    def parameters_size(self) -> int:
        """Bytes that it has in the stream header."""
        ...

    def check_parameters(self, parameters: bytes) -> None:
        """Raises BitstreamError if they are none of its own."""
        ...

    @property
    def searches(self) -> bool:
        """Whether it can code a photo with more effort (`progressive.codec.SearchingCodec`)."""
        ...

    def code(self, photo: Photo, layout: Layout, effort: int = 0, budget: int | None = None) -> Coded:
        """Codes a whole photo, [H, W, 3], once.

        Args:
            effort: above 0 only if it `searches`.
            budget: bytes beyond which levels may be left out; without one all are coded.
        """
        ...

    def weights(self, coded: Coded, layout: Layout, meaning: CoarseMap | None, context: str) -> NDArray[np.float64]:
        """How much blocks matter in a context: the factor of each one's slope, [rows, columns].

        Their mean is about 1, each block counted as what it gains, or each alike.

        `meaning` is where it is (SIM); None where the context does not ask for it.
        """
        ...

    def decoding(self, device: str) -> Decoding:
        """Raises UsageError if it does not compute exactly there."""
        ...

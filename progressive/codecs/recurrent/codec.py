"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.recurrent.decoder import RecurrentDecoder
from progressive.codecs.recurrent.encoder import CodedPhoto, code_photo, drafts_of, ordered
from progressive.codecs.recurrent.layout import CELL, TILE, Layout
from progressive.codecs.recurrent.model import Model
from progressive.codecs.recurrent.segments import LARGEST_PREFIX
from progressive.codecs.recurrent.tiers import CODE_BYTES, STRENGTHS, Tier, cell_shares, tiers_of
from progressive.contexts import check_context
from progressive.errors import BitstreamError
from progressive.photos.arrays import as_photo
from progressive.runtime.torch_state import neutral
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import MAX_SEGMENTS, LayeredStream, StreamHeader

MOST_TIERS = 64
"""Of a tile: a segment of fewer cells takes as long to decode as a larger one."""

LEAST_CELLS = TILE * TILE // MOST_TIERS

CELLS_OF_MEANING = 128
"""Of a tier at most where tiers differ in importance: larger ones would mix too much."""

MIN_PAYLOAD = LARGEST_PREFIX + LEAST_CELLS * CODE_BYTES

DEFAULT_CONTEXT = "reconstruct"

_CELLS = struct.Struct("!H")


@dataclass(frozen=True)
class Analysed:
    """A photo as it can be sent. Fields: its codes; where meaning is, None if it was coded without."""

    coded: CodedPhoto
    importance: CoarseMap | None


class Recurrent:
    """Iterations that each add 1/8 bit a pixel before entropy coding (Wang et al. 2019, section 3.2).

    photo ─ residual ─> encoder ─> binariser ─> codes ─ tiers by importance ─> segments: (iteration, tier)
               ^                                  │
               ╰─ picture <─ head <─ decoder <────╯
    """

    @neutral()
    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model.load()
        self._networks = cache(self._model.networks_on)

    def __reduce__(self) -> tuple[type[Recurrent], tuple[Model]]:
        """Pickles are of the model alone: what it is prepared to on a device is prepared anew."""
        return type(self), (self._model,)

    @property
    def name(self) -> str:
        return "recurrent"

    @classmethod
    @neutral()
    def with_weights(cls, path: Path) -> Self:
        return cls(Model.load(path))

    @property
    def model_id(self) -> bytes:
        return self._model.id

    @property
    def traits(self) -> Traits:
        return Traits(MIN_PAYLOAD, contexts=tuple(STRENGTHS))

    @neutral()
    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """Codes a photo into segments, an iteration of a tier each.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: `reconstruct` (the same iterations for all cells, as with None), `classify` (as Algorithm 1 allots
                them by importance) or `hybrid` (between both).

        Raises UsageError for anything else.
        """
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        photo = as_photo(photo)
        check_size(photo)
        importance = None if context == DEFAULT_CONTEXT else _coarse_map(photo)
        return self.rank(Analysed(code_photo(photo, self._model), importance), max_payload=max_payload, context=context)

    @neutral()
    def analyse(self, photo: Photo) -> Analysed:
        """Codes a photo once, for streams in any context. Raises UsageError for one that is too large."""
        photo = as_photo(photo)
        check_size(photo)
        return Analysed(code_photo(photo, self._model), _coarse_map(photo))

    @neutral()
    def rank(self, analysed: Analysed, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """The stream that `encode` would make of the photo for this context. Raises UsageError as it does."""
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        coarse = None if context == DEFAULT_CONTEXT else analysed.importance
        return self._stream(analysed.coded, coarse, max_payload, context)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> RecurrentDecoder:
        check_model(self.name, header, self._model.id)
        layout = Layout(header.width, header.height)
        cells, coarse = _parameters_of(header)
        shares = cell_shares(layout, coarse)

        @cache
        def tiers(tile: int) -> list[Tier]:
            return tiers_of(layout.window(tile), shares, cells)

        return RecurrentDecoder(header, self._model, self._networks(device), layout, tiers)

    @neutral()
    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64] | None:
        """How soon each pixel's cell gets its iterations, relative to the others; None if all get them together."""
        context, photo = self._context(context), as_photo(photo)
        check_size(photo)
        if context == DEFAULT_CONTEXT:
            return None
        layout = Layout(photo.shape[1], photo.shape[0])
        shares = cell_shares(layout, _coarse_map(photo))
        worth = np.asarray((shares / shares.mean()) ** STRENGTHS[context])
        return worth.repeat(CELL, 0).repeat(CELL, 1)[: layout.height, : layout.width]

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        coarse = _parameters_of(header)[1]
        return None if coarse is None else coarse.levels

    def _context(self, asked: str | None) -> str:
        """The context asked for, or the default; raises UsageError for an unknown one."""
        if asked is not None:
            check_context(self, asked)
        return asked or DEFAULT_CONTEXT

    def _stream(self, coded: CodedPhoto, coarse: CoarseMap | None, max_payload: int, context: str) -> LayeredStream:
        layout = coded.layout
        cells = min((max_payload - LARGEST_PREFIX) // CODE_BYTES, TILE * TILE if coarse is None else CELLS_OF_MEANING)
        shares = cell_shares(layout, coarse)
        tiers = [tiers_of(window, shares, cells) for window in layout.windows()]
        kept = ordered(drafts_of(coded, tiers, self._model, context), layout)[:MAX_SEGMENTS]
        parameters = _CELLS.pack(cells) + (b"" if coarse is None else coarse.to_bytes())
        number = registry.CODECS[self.name].number
        header = StreamHeader(number, self._model.id, layout.width, layout.height, len(kept), parameters)
        return LayeredStream(header, kept)


def _parameters_of(header: StreamHeader) -> tuple[int, CoarseMap | None]:
    """Cells of a tier at most, and where meaning is; raises BitstreamError if either is damaged."""
    own, importance = header.parameters[: _CELLS.size], header.parameters[_CELLS.size :]
    if len(own) < _CELLS.size:
        raise BitstreamError("a recurrent header tells how many cells a tier has")
    (cells,) = _CELLS.unpack(own)
    if not LEAST_CELLS <= cells <= TILE * TILE:
        raise BitstreamError(f"a recurrent header claims tiers of {cells} cells, there are {LEAST_CELLS} to {TILE**2}")
    return cells, CoarseMap.from_bytes(importance) if importance else None


def _coarse_map(photo: Photo) -> CoarseMap:
    from progressive.semantics.sources import coarse_importance_map

    return CoarseMap.of(coarse_importance_map(photo))

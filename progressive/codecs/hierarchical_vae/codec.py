"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.hierarchical_vae.decoder import HierarchicalVaeDecoder
from progressive.codecs.hierarchical_vae.encoder import Analysis, CodedTile, coded_tiles
from progressive.codecs.hierarchical_vae.header import Parameters
from progressive.codecs.hierarchical_vae.importance import EMPHASIS, block_importance
from progressive.codecs.hierarchical_vae.latents import ROOT
from progressive.codecs.hierarchical_vae.model import Model
from progressive.codecs.hierarchical_vae.ranking import Draft, TooLargeError, drafts_of, estimated_size, ordered
from progressive.codecs.hierarchical_vae.rates import FINEST, OCTAVES
from progressive.codecs.hierarchical_vae.renderer import Renderer
from progressive.contexts import check_context
from progressive.errors import UsageError
from progressive.photos.arrays import as_photo
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.segments.rate_search import Search
from progressive.segments.tiles import BLOCK, TILE_SIDES, Layout
from progressive.semantics.coarse_map import CoarseMap
from progressive.semantics.sources import coarse_importance_map, upsampled
from progressive.stream import MAX_SEGMENTS, LayeredStream, StreamHeader

MIN_PAYLOAD = 257

CLOSE = 0.985
"""A stream that takes this share of what it may is close enough."""

USUAL_GAMMA = 130
"""Without a budget: about half a bit a pixel of a photo."""

COARSER, COARSER_AN_OCTAVE = 4, 32
"""How far gamma falls where a latent of a single block does not fit a segment: at least, and for twice what fits."""

HEADER_BYTES = 80
"""Of a header, roughly, for the first reckoning."""


class HierarchicalVae:
    """A hierarchy of latents, one network for all rates (Qi et al. 2025), made progressive.

    photo, gamma ─ wavelet + bottom-up ─> z_1 ─> tiles, then blocks ─ prior ─╮
                                          ...                                ├─> segments
                                          z_H ─> blocks ────────────── prior ─╯

    What has meaning gets a larger share of the bytes (Eq. 16-19 of the paper): gamma rises there and falls elsewhere.
    """

    @neutral()
    def __init__(self, model: Model | None = None, *, semantics: bool = True) -> None:
        """
        Args:
            model: the one with the committed weights if left out.
            semantics: whether streams give more to what has meaning; decoders take both kinds.
        """
        self._model, self._semantics = model or Model.load(), semantics
        self._renderer = cache(lambda device: Renderer(self._model.top_down, device))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickles are of the model alone: what it is prepared to on a device is prepared anew."""
        return _made, (type(self), self._model, self._semantics)

    @property
    def name(self) -> str:
        return "hierarchical_vae"

    @classmethod
    @neutral()
    def with_weights(cls, path: Path) -> Self:
        return cls(Model.load(path))

    @property
    def model_id(self) -> bytes:
        return self._model.id

    @property
    def traits(self) -> Traits:
        return Traits(MIN_PAYLOAD, contexts=tuple(EMPHASIS), one_rate=True)

    @property
    def model(self) -> Model:
        return self._model

    @neutral()
    def encode(
        self, photo: Photo, *, max_payload: int = 1000, context: str | None = None, budget: int | None = None
    ) -> LayeredStream:
        """Codes a photo into segments in the order that a context asks for.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: `reconstruct` (least squared error first, as with None), `classify` (what has meaning first) or
                `hybrid`. The context changes the order alone.
            budget: bytes that the stream should take at most. A photo whose coarsest stream is larger gets that one.

        Raises UsageError for anything else.
        """
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        if budget is not None and budget < 1:
            raise UsageError(f"a stream cannot take {budget} bytes: give more")
        photo = as_photo(photo)
        check_size(photo)
        meaning = _meaning_of(photo)
        with torch.inference_mode(), one_thread():
            coder = _PhotoCoder(photo, meaning, self._model, self._semantics, context, max_payload)
            if budget is None:
                return coder.stream(USUAL_GAMMA)
            # The reckoning leaves out little; what is then still too large becomes coarser.
            gamma = Search(budget, USUAL_GAMMA, FINEST, FINEST / OCTAVES, CLOSE).run(coder.reckoned)
            while True:
                stream = coder.stream(gamma)
                if stream.size <= budget or not gamma:
                    return stream
                gamma -= 1

    @neutral()
    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64]:
        """What the order of sending follows, [H, W]: the squared error that a byte removes from a pixel's block, over
        all latents, times its importance in the context.
        """
        context, photo = self._context(context), as_photo(photo)
        check_size(photo)
        with torch.inference_mode(), one_thread():
            coder = _PhotoCoder(photo, _meaning_of(photo), self._model, self._semantics, context, MIN_PAYLOAD)
            return coder.worth(USUAL_GAMMA)

    @neutral()
    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        meaning = Parameters.from_bytes(header.parameters).meaning
        return None if meaning is None else meaning.levels

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> HierarchicalVaeDecoder:
        check_model(self.name, header, self._model.id)
        return HierarchicalVaeDecoder(header, self._model.coding_on(device), self._renderer(device))

    def _context(self, context: str | None) -> str:
        if context is None:
            return next(iter(EMPHASIS))
        check_context(self, context)
        return context


class _PhotoCoder:
    """One photo at any gamma; what was coded last is kept, as it is likely to be asked for again."""

    def __init__(
        self, photo: Photo, meaning: CoarseMap, model: Model, semantics: bool, context: str, max_payload: int
    ) -> None:
        self._analysis, self._model = Analysis(photo, model), model
        self._meaning, self._sent = meaning, meaning if semantics else None
        self._context, self._max_payload = context, max_payload
        self._last: tuple[Parameters, list[CodedTile]] | None = None

    def reckoned(self, gamma: int) -> float:
        """Bytes that a stream is likely to take."""
        return HEADER_BYTES + estimated_size(
            self._tiles(Parameters(gamma, TILE_SIDES[0], self._sent)), self._max_payload
        )

    def stream(self, gamma: int) -> LayeredStream:
        """The stream at this gamma, or the next coarser one whose segments fit."""
        side = 0
        while True:
            parameters = Parameters(gamma, TILE_SIDES[side], self._sent)
            try:
                return self._made(parameters)
            except TooLargeError as error:
                if error.latent == ROOT and side + 1 < len(TILE_SIDES):
                    side += 1
                elif gamma:
                    gamma = max(0, gamma - COARSER - int(COARSER_AN_OCTAVE * math.log2(error.excess)))
                else:
                    raise UsageError("no rate fits segments this small: use larger packets") from error

    def worth(self, gamma: int) -> NDArray[np.float64]:
        """What a byte is worth in each pixel's block, [H, W]."""
        layout = self._layout(TILE_SIDES[0])
        worth = np.empty((layout.rows, layout.columns))
        for tile in self._tiles(Parameters(gamma, layout.tile_side, self._sent)):
            slopes = self._importance(layout, tile) * tile.gains.sum(0) / (tile.bits.sum(0) + 1)
            worth[tile.window.slices(1)] = slopes.reshape(tile.window.height, tile.window.width)
        return worth.repeat(BLOCK, 0).repeat(BLOCK, 1)[: layout.height, : layout.width]

    def _made(self, parameters: Parameters) -> LayeredStream:
        layout = self._layout(parameters.tile_side)
        tables = self._model.coding.tables.frequencies
        drafts: list[Draft] = []
        for number, tile in enumerate(self._tiles(parameters)):
            importance = self._importance(layout, tile)
            whole = parameters.gamma > 0
            drafts += drafts_of(number, tile, importance, tables, layout, self._max_payload, whole=whole)
        kept = ordered(drafts, layout)[:MAX_SEGMENTS]
        number = registry.CODECS["hierarchical_vae"].number
        header = StreamHeader(number, self._model.id, layout.width, layout.height, len(kept), parameters.to_bytes())
        return LayeredStream(header, kept)

    def _tiles(self, parameters: Parameters) -> list[CodedTile]:
        if self._last is None or self._last[0] != parameters:
            self._last = parameters, list(coded_tiles(self._analysis, parameters, self._model))
        return self._last[1]

    def _importance(self, layout: Layout, tile: CodedTile) -> NDArray[np.float64]:
        return block_importance(self._meaning, layout, tile.window, self._context)

    def _layout(self, tile_side: int) -> Layout:
        return Layout(self._analysis.width, self._analysis.height, tile_side)


def _meaning_of(photo: Photo) -> CoarseMap:
    return CoarseMap.of(upsampled(coarse_importance_map(photo), photo))


def _made(kind: type[HierarchicalVae], model: Model, semantics: bool) -> HierarchicalVae:
    return kind(model, semantics=semantics)

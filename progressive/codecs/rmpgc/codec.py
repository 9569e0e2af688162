"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.rmpgc.colours import SIZE as COLOURS_SIZE
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.codecs.rmpgc.encoder import CodedTile, code_tiles
from progressive.codecs.rmpgc.importance import EMPHASIS, block_importance
from progressive.codecs.rmpgc.layout import BLOCK, TILE, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.ranking import Draft, drafts_of, ordered
from progressive.codecs.rmpgc.renderer import Renderer
from progressive.codecs.rmpgc.segments import largest_prefix
from progressive.contexts import check_context
from progressive.photos.arrays import as_photo
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import MAX_SEGMENTS, LayeredStream, StreamHeader

MIN_PAYLOAD = 4 * largest_prefix((TILE // BLOCK) ** 2)
"""Smaller segments would be mostly prefix."""

DEFAULT_CONTEXT = "reconstruct"


@dataclass(frozen=True)
class CodedPhoto:
    """A photo as it can be sent: `Rmpgc.rank` makes streams of it for any context without coding again.

    Fields:
        layout: its geometry.
        colours: its colour axes.
        tiles: what coding each tile writes.
        importance: where meaning is (SIM); None if the photo was coded without.
    """

    layout: Layout
    colours: Colours
    tiles: list[CodedTile]
    importance: CoarseMap | None


class Rmpgc:
    """A multi-scale latent in nested planes, sent in the order of what each block's next plane is worth.

    photo ─ colours, 9/7, lifting ─ latent of 7 scales ─┬─ plane 0 of all scales ─> base: a chain, coarsest scale first
                                                         └─ planes 1.. of each block of 64 pixels ─> enhance
    """

    @neutral()
    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model.load()
        self._coding = cache(self._model.coding_on)
        self._renderer = cache(self._renderer_on)

    def __reduce__(self) -> tuple[type[Rmpgc], tuple[Model]]:
        """Pickles are of the model alone: what it is prepared to on a device is prepared anew."""
        return type(self), (self._model,)

    @property
    def name(self) -> str:
        return "rmpgc"

    @property
    def traits(self) -> Traits:
        return Traits(MIN_PAYLOAD, contexts=tuple(EMPHASIS))

    @property
    def model(self) -> Model:
        return self._model

    @neutral()
    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """Codes a photo into segments in the order that a context asks for.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: `reconstruct` (least squared error, as with None), `classify` (what has meaning first) or `hybrid`.

        Raises UsageError for anything else.
        """
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        photo = as_photo(photo)
        layout, colours = _layout_of(photo), Colours.of(photo)
        importance = None if context == DEFAULT_CONTEXT else _coarse_map(photo)
        coded = CodedPhoto(layout, colours, self._coded_tiles(photo, layout, colours), importance)
        return self.rank(coded, max_payload=max_payload, context=context)

    @neutral()
    def analyse(self, photo: Photo) -> CodedPhoto:
        """Codes a photo once, for streams in any context. Raises UsageError for one that is too large."""
        photo = as_photo(photo)
        layout, colours = _layout_of(photo), Colours.of(photo)
        return CodedPhoto(layout, colours, self._coded_tiles(photo, layout, colours), _coarse_map(photo))

    @neutral()
    def rank(self, coded: CodedPhoto, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """The stream that `encode` would make of the photo for this context. Raises UsageError as it does."""
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        importance = None if context == DEFAULT_CONTEXT else coded.importance
        drafts: list[Draft] = []
        for number, tile in enumerate(coded.tiles):
            drafts += self._drafts(number, tile, coded.layout, importance, context, max_payload)
        return self._stream(coded.layout, coded.colours, importance, drafts)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> RmpgcDecoder:
        """A fresh decoder on `cpu`, `cuda` or another torch device.

        Raises BitstreamError if the header is of another model or damaged.
        """
        check_model(self.name, header, self._model.id)
        colours, _ = _parameters_of(header)
        return RmpgcDecoder(header, self._coding(device), self._renderer(device), colours)

    @neutral()
    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64]:
        """What the order of sending follows, [H, W]: the same for all pixels of a block.

        That is the squared error which a byte removes from the block, over all levels, times its importance.
        """
        context, photo = self._context(context), as_photo(photo)
        coded = self.analyse(photo)
        meaning = None if context == DEFAULT_CONTEXT else coded.importance
        worth = np.empty((coded.layout.rows, coded.layout.columns))
        for tile in coded.tiles:
            weights = block_importance(meaning, coded.layout, tile, context)
            slopes = weights * tile.gains.sum(0) / (tile.bits.sum(0) + 1)
            worth[tile.window.slices(1)] = slopes.reshape(tile.window.height, tile.window.width)
        height, width = photo.shape[:2]
        return worth.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        coarse = _parameters_of(header)[1]
        return None if coarse is None else coarse.levels

    def _context(self, asked: str | None) -> str:
        """The context asked for, or the default; raises UsageError for an unknown one."""
        if asked is not None:
            check_context(self, asked)
        return asked or DEFAULT_CONTEXT

    def _coded_tiles(self, photo: Photo, layout: Layout, colours: Colours) -> list[CodedTile]:
        with torch.inference_mode(), one_thread():
            latent = latent_of(photo, layout, lambda rgb: self._model.transform.analyse(colours.turned(rgb)))
            return code_tiles(latent, layout, self._model.coding)

    def _drafts(
        self, number: int, tile: CodedTile, layout: Layout, importance: CoarseMap | None, context: str, max_payload: int
    ) -> list[Draft]:
        weights: NDArray[np.float64] = block_importance(importance, layout, tile, context)
        return drafts_of(number, tile, weights, self._model.coding.tables, layout, max_payload)

    def _stream(
        self, layout: Layout, colours: Colours, importance: CoarseMap | None, drafts: list[Draft]
    ) -> LayeredStream:
        kept = ordered(drafts, layout)[:MAX_SEGMENTS]
        parameters = colours.to_bytes() + (b"" if importance is None else importance.to_bytes())
        number = registry.CODECS[self.name].number
        header = StreamHeader(number, self._model.id, layout.width, layout.height, len(kept), parameters)
        return LayeredStream(header, kept)

    def _renderer_on(self, device: str) -> Renderer:
        return Renderer(self._model, device)


def _parameters_of(header: StreamHeader) -> tuple[Colours, CoarseMap | None]:
    colours, importance = header.parameters[:COLOURS_SIZE], header.parameters[COLOURS_SIZE:]
    return Colours.from_bytes(colours), CoarseMap.from_bytes(importance) if importance else None


def _coarse_map(photo: Photo) -> CoarseMap:
    from progressive.semantics.sources import coarse_importance_map

    return CoarseMap.of(coarse_importance_map(photo))


def _layout_of(photo: Photo) -> Layout:
    check_size(photo)
    return Layout(photo.shape[1], photo.shape[0])

"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo
from progressive.codecs.rmpgc.colours import SIZE as COLOURS_SIZE
from progressive.codecs.rmpgc.colours import Colours
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.codecs.rmpgc.encoder import CodedTile, code_tiles
from progressive.codecs.rmpgc.importance import block_importance
from progressive.codecs.rmpgc.layout import BLOCK, TILE, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.ranking import Draft, drafts_of, ordered
from progressive.codecs.rmpgc.renderer import Renderer
from progressive.codecs.rmpgc.segments import largest_prefix
from progressive.errors import BitstreamError, UsageError
from progressive.photos.arrays import as_photo
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.semantics.blend import check_context
from progressive.semantics.coarse_map import CoarseMap
from progressive.stream import MAX_PIXELS, MAX_SEGMENTS, MAX_SIDE, LayeredStream, StreamHeader

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
    def model(self) -> Model:
        return self._model

    @neutral()
    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str = DEFAULT_CONTEXT) -> LayeredStream:
        """Codes a photo into segments in the order that a context asks for.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: `reconstruct` (least squared error), `classify` (what has meaning first) or `hybrid`.

        Raises UsageError for anything else.
        """
        check_context(context)
        _check_payload(max_payload)
        photo = as_photo(photo)
        layout, colours = _layout_of(photo), Colours.of(photo)
        importance = None if context == "reconstruct" else _coarse_map(photo)
        coded = CodedPhoto(layout, colours, self._coded_tiles(photo, layout, colours), importance)
        return self.rank(coded, max_payload=max_payload, context=context)

    @neutral()
    def analyse(self, photo: Photo) -> CodedPhoto:
        """Codes a photo once, for streams in any context. Raises UsageError for one that is too large."""
        photo = as_photo(photo)
        layout, colours = _layout_of(photo), Colours.of(photo)
        return CodedPhoto(layout, colours, self._coded_tiles(photo, layout, colours), _coarse_map(photo))

    @neutral()
    def rank(self, coded: CodedPhoto, *, max_payload: int = 1000, context: str = DEFAULT_CONTEXT) -> LayeredStream:
        """The stream that `encode` would make of the photo for this context. Raises UsageError as it does."""
        check_context(context)
        _check_payload(max_payload)
        importance = None if context == "reconstruct" else coded.importance
        drafts: list[Draft] = []
        for number, tile in enumerate(coded.tiles):
            drafts += self._drafts(number, tile, coded.layout, importance, context, max_payload)
        return self._stream(coded.layout, coded.colours, importance, drafts)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> RmpgcDecoder:
        """A fresh decoder on `cpu`, `cuda` or another torch device.

        Raises BitstreamError if the header is of another model or damaged.
        """
        if header.model_id != self._model.id:
            raise BitstreamError(
                f"the stream needs model {header.model_id.hex()} of {self.name}, but model {self._model.id.hex()} is "
                "installed: use the version it was encoded with"
            )
        colours, _ = _parameters_of(header)
        return RmpgcDecoder(header, self._coding(device), self._renderer(device), colours)

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


def coarse_map_of(header: StreamHeader) -> CoarseMap | None:
    """Where meaning is, if the stream says so; raises BitstreamError if the header's parameters are damaged."""
    return _parameters_of(header)[1]


def _parameters_of(header: StreamHeader) -> tuple[Colours, CoarseMap | None]:
    colours, importance = header.parameters[:COLOURS_SIZE], header.parameters[COLOURS_SIZE:]
    return Colours.from_bytes(colours), CoarseMap.from_bytes(importance) if importance else None


def _coarse_map(photo: Photo) -> CoarseMap:
    from progressive.semantics.sources import coarse_importance_map

    return CoarseMap.of(coarse_importance_map(photo))


def _layout_of(photo: Photo) -> Layout:
    height, width = photo.shape[:2]
    if not (height and width) or height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise UsageError(
            f"cannot encode {width}x{height} pixels: at least 1x1, at most {MAX_PIXELS // 10**6} megapixels "
            f"and {MAX_SIDE} on a side"
        )
    return Layout(width, height)


def _check_payload(max_payload: int) -> None:
    if max_payload < MIN_PAYLOAD:
        raise UsageError(
            f"rmpgc needs {MIN_PAYLOAD} bytes a segment, {max_payload} were given: "
            f"use larger packets, by {MIN_PAYLOAD - max_payload} bytes or more"
        )

"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.rmpgc.backbone import Backbone, Coded
from progressive.codecs.rmpgc.decoder import RmpgcDecoder
from progressive.codecs.rmpgc.importance import EMPHASIS
from progressive.codecs.rmpgc.layout import BLOCK, TILE, Layout
from progressive.codecs.rmpgc.ranking import Draft, drafts_of, ordered
from progressive.codecs.rmpgc.segments import largest_prefix
from progressive.contexts import check_context
from progressive.photos.arrays import as_photo
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
        coded: what the backbone made of it.
        importance: where meaning is (SIM); None if the photo was coded without.
    """

    layout: Layout
    coded: Coded
    importance: CoarseMap | None


class Rmpgc:
    """A layered latent, sent in the order of what each block's next level is worth in a context.

    photo ─ backbone ─┬─ base: stages of each tile, one after the other ──────────────╮
                      └─ enhance: levels of each block ─ by slope times importance ───┴─> segments
    """

    @neutral()
    def __init__(self, backbone: Backbone | None = None, effort: int = 0) -> None:
        """
        Args:
            backbone: the committed one if left out.
            effort: of the encoder, 0..MAX_EFFORT; above 0 only if the backbone searches.
        """
        self._backbone, self._effort = backbone or self.committed(), effort
        self._decoding = cache(self._backbone.decoding)

    @staticmethod
    def committed(weights: Path | None = None) -> Backbone:
        """The codec's own backbone, here `backbones.multiscale`: with its committed weights, or those of a file."""
        from progressive.codecs.rmpgc.backbones.multiscale.backbone import Multiscale

        return Multiscale.load() if weights is None else Multiscale.load(weights)

    def __reduce__(self) -> tuple[type[Rmpgc], tuple[Backbone, int]]:
        """Pickles are of backbone and effort: what it is prepared to on a device is prepared anew."""
        return type(self), (self._backbone, self._effort)

    def at_effort(self, effort: int) -> Rmpgc:
        return type(self)(self._backbone, effort)

    @property
    def name(self) -> str:
        return self._backbone.name

    @classmethod
    @neutral()
    def with_weights(cls, path: Path) -> Self:
        return cls(cls.committed(path))

    @property
    def model_id(self) -> bytes:
        return self._backbone.id

    @property
    def traits(self) -> Traits:
        backbone = self._backbone
        return Traits(
            MIN_PAYLOAD,
            contexts=tuple(EMPHASIS),
            objective=backbone.objective,
            looks=backbone.looks,
            searches=backbone.searches,
            stops_early=True,
        )

    def prepare_look(self, look: str) -> None:
        self._backbone.prepare_look(look)

    @property
    def backbone(self) -> Backbone:
        return self._backbone

    @neutral()
    def encode(
        self, photo: Photo, *, max_payload: int = 1000, context: str | None = None, budget: int | None = None
    ) -> LayeredStream:
        """Codes a photo into segments in the order that a context asks for.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: `reconstruct` (as with None: least squared error, or as the backbone has it), `classify` (what has
                meaning first) or `hybrid`.
            budget: bytes of the stream that can be used: levels that lie far beyond them are not coded. In other
                contexts than `reconstruct` all are, as those put fine levels of some blocks first.

        Raises UsageError for anything else.
        """
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        plain = context == DEFAULT_CONTEXT
        coded = self._coded(as_photo(photo), with_importance=not plain, budget=budget if plain else None)
        return self.rank(coded, max_payload=max_payload, context=context)

    @neutral()
    def analyse(self, photo: Photo) -> CodedPhoto:
        """Codes a photo once, for streams in any context. Raises UsageError for one that is too large."""
        return self._coded(as_photo(photo), with_importance=True)

    @neutral()
    def rank(self, coded: CodedPhoto, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """The stream that `encode` would make of the photo for this context. Raises UsageError as it does."""
        context = self._context(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        importance = None if context == DEFAULT_CONTEXT else coded.importance
        weights = self._backbone.weights(coded.coded, coded.layout, importance, context)
        drafts: list[Draft] = []
        for number, tile in enumerate(coded.coded.tiles):
            own = weights[tile.window.slices(1)].ravel()
            drafts += drafts_of(number, tile, own, self._backbone.tables, coded.layout, max_payload)
        return self._stream(coded, importance, drafts)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> RmpgcDecoder:
        """A fresh decoder on `cpu`, `cuda` or another torch device.

        Raises BitstreamError if the header is of another model or damaged.
        """
        check_model(self.name, header, self._backbone.id)
        parameters, _ = self._parameters_of(header)
        layout = Layout(header.width, header.height, self._backbone.depth)
        return RmpgcDecoder(header, self._decoding(device), layout, parameters)

    @neutral()
    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64]:
        """What the order of sending follows, [H, W]: the same for all pixels of a block.

        That is the squared error which a byte removes from the block, over all levels, times its importance; of a
        masked backbone its importance alone.
        """
        context, photo = self._context(context), as_photo(photo)
        coded = self.analyse(photo)
        meaning = None if context == DEFAULT_CONTEXT else coded.importance
        worth = self._backbone.weights(coded.coded, coded.layout, meaning, context)
        for tile in coded.coded.tiles:
            slopes = tile.gains.sum(0) / (tile.bits.sum(0) + 1)
            worth[tile.window.slices(1)] *= slopes.reshape(tile.window.height, tile.window.width)
        height, width = photo.shape[:2]
        return worth.repeat(BLOCK, 0).repeat(BLOCK, 1)[:height, :width]

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        coarse = self._parameters_of(header)[1]
        return None if coarse is None else coarse.levels

    def _context(self, asked: str | None) -> str:
        """The context asked for, or the default; raises UsageError for an unknown one."""
        if asked is not None:
            check_context(self, asked)
        return asked or DEFAULT_CONTEXT

    def _coded(self, photo: Photo, *, with_importance: bool, budget: int | None = None) -> CodedPhoto:
        check_size(photo)
        layout = Layout(photo.shape[1], photo.shape[0], self._backbone.depth)
        coded = self._backbone.code(photo, layout, self._effort, budget)
        return CodedPhoto(layout, coded, _coarse_map(photo) if with_importance else None)

    def _stream(self, coded: CodedPhoto, importance: CoarseMap | None, drafts: list[Draft]) -> LayeredStream:
        layout = coded.layout
        kept = ordered(drafts, layout)[:MAX_SEGMENTS]
        parameters = coded.coded.parameters + (b"" if importance is None else importance.to_bytes())
        number = registry.CODECS[self.name].number
        header = StreamHeader(number, self._backbone.id, layout.width, layout.height, len(kept), parameters)
        return LayeredStream(header, kept)

    def _parameters_of(self, header: StreamHeader) -> tuple[bytes, CoarseMap | None]:
        """What a header tells the backbone, and where meaning is; raises BitstreamError if either is damaged."""
        size = self._backbone.parameters_size
        own, importance = header.parameters[:size], header.parameters[size:]
        self._backbone.check_parameters(own)
        return own, CoarseMap.from_bytes(importance) if importance else None


def _coarse_map(photo: Photo) -> CoarseMap:
    from progressive.semantics.sources import coarse_importance_map

    return CoarseMap.of(coarse_importance_map(photo))

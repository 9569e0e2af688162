"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

import logging
import math
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.decoder import LabelGuidedDecoder
from progressive.codecs.label_guided.encoder import CodedTile, coded_tiles, pixels_of_blocks
from progressive.codecs.label_guided.groups import ROOT
from progressive.codecs.label_guided.header import Parameters
from progressive.codecs.label_guided.layout import CELL, Layout
from progressive.codecs.label_guided.model import Model
from progressive.codecs.label_guided.ranking import Draft, TooLargeError, drafts_of, estimated_size, ordered
from progressive.codecs.label_guided.renderer import Renderer
from progressive.codecs.label_guided.segmentation import cell_labels, probabilities
from progressive.codecs.label_guided.steps import FINEST, LEVELS_AN_OCTAVE
from progressive.contexts import check_context
from progressive.errors import UsageError
from progressive.photos.arrays import as_photo
from progressive.runtime.threads import one_thread
from progressive.runtime.torch_state import neutral
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.segments.rate_search import Search
from progressive.segments.tiles import TILE_SIDES
from progressive.stream import MAX_SEGMENTS, LayeredStream, StreamHeader

MIN_PAYLOAD = 257

USUAL_BPP, LEAST_BYTES = 0.06, 600
"""Without a budget: bits a pixel, and bytes that small photos may take."""

FINEST_USUAL = 60
"""Without a budget: the finest level, which calm and small photos get."""

OCTAVE = 0.8 * LEVELS_AN_OCTAVE
"""How many levels usually double what a stream takes."""

USUAL_LEVEL = 38
"""About the level that this is for a street scene."""

COARSER, COARSER_AN_OCTAVE = 2, 10
"""How far the level falls where a group of a single block does not fit a segment: at least, and for twice what fits."""

HEADER_BYTES = 20
"""Of a header."""

LOGGER = logging.getLogger("progressive")

Labels = NDArray[np.int8]
"""The class of each cell of 16 pixels, 0 to 7 as `CLASSES` names them, [ceil(H / 16), ceil(W / 16)]."""

BLANK_MAP: Labels = np.zeros((0, 0), np.int8)
"""Given to `encode`: a stream that says nothing of classes."""


class LabelGuided:
    """A latent with hyperprior beside a label map, which tells the decoder what to draw (Iwai et al. 2024).

    photo ─┬─ segmentation ─> label map ─ masked convolutions ───────╮
           ╰─ transform + CNN ─> latent, hyperprior ─ prior ─────────┴─> segments

    Street scenes are its domain: of other photos it warns, and codes them all the same.
    """

    @neutral()
    def __init__(self, model: Model | None = None) -> None:
        """`model`: the one with the committed weights if left out."""
        self._model, self._warned = model or Model.load(), False
        self._renderer = cache(lambda device: Renderer(self._model.linear, self._model.synthesis, device))

    def __reduce__(self) -> tuple[type[LabelGuided], tuple[Model]]:
        """Pickles are of the model alone: what it is prepared to on a device is prepared anew."""
        return type(self), (self._model,)

    @property
    def name(self) -> str:
        return "label_guided"

    @classmethod
    @neutral()
    def with_weights(cls, path: Path) -> Self:
        return cls(Model.load(path))

    @property
    def model_id(self) -> bytes:
        return self._model.id

    @property
    def traits(self) -> Traits:
        return Traits(MIN_PAYLOAD, one_rate=True, objective="perception")

    @property
    def model(self) -> Model:
        return self._model

    @neutral()
    def encode(
        self,
        photo: Photo,
        *,
        max_payload: int = 1000,
        context: str | None = None,
        budget: int | None = None,
        labels: Labels | None = None,
    ) -> LayeredStream:
        """Codes a photo into segments in the order of squared error removed a byte.

        Args:
            photo: [H, W, 3], any size up to MAX_PIXELS; or what `as_photo` takes for one.
            max_payload: bytes of a segment at most; `MIN_PAYLOAD` or more.
            context: none but None.
            budget: bytes that the stream should take at most. A photo whose coarsest stream is larger gets that one;
                without a budget it is `USUAL_BPP`, which calm photos do not use up.
            labels: the class of each cell, [ceil(H / 16), ceil(W / 16)]; `BLANK_MAP` for none; what the segmentation
                finds if left out.

        Raises UsageError for anything else.
        """
        self._check(context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        if budget is not None and budget < 1:
            raise UsageError(f"a stream cannot take {budget} bytes: give more")
        photo = as_photo(photo)
        check_size(photo)
        with torch.inference_mode(), one_thread():
            found = self._segmented(photo) if labels is None else _checked(labels, photo)
            coder = _PhotoCoder(photo, found, self._model, max_payload)
            finest = FINEST
            if budget is None:
                budget, finest = max(LEAST_BYTES, int(USUAL_BPP / 8 * photo.shape[0] * photo.shape[1])), FINEST_USUAL
            # The reckoning leaves out little; what is then still too large becomes coarser.
            level = Search(budget, USUAL_LEVEL, finest, OCTAVE).run(coder.reckoned)
            while True:
                stream = coder.stream(level)
                if stream.size <= budget or not level:
                    return stream
                level -= 1

    @neutral()
    def segment(self, photo: Photo) -> Labels:
        """What the segmentation finds in a photo."""
        photo = as_photo(photo)
        check_size(photo)
        with torch.inference_mode(), one_thread():
            return self._segmented(photo)

    @neutral()
    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64]:
        """What the order of sending follows, [H, W]: the squared error that a byte removes from a pixel's block, over
        all groups.
        """
        self._check(context)
        photo = as_photo(photo)
        check_size(photo)
        with torch.inference_mode(), one_thread():
            return _PhotoCoder(photo, self._segmented(photo), self._model, MIN_PAYLOAD).worth(USUAL_LEVEL)

    @neutral()
    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        Parameters.from_bytes(header.parameters)
        return None

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> LabelGuidedDecoder:
        check_model(self.name, header, self._model.id)
        return LabelGuidedDecoder(header, self._model.coding_on(device), self._renderer(device))

    def _check(self, context: str | None) -> None:
        if context is not None:
            check_context(self, context)

    def _segmented(self, photo: Photo) -> Labels:
        likely = probabilities(self._model.segmentation, photo)
        labels, sure = cell_labels(likely, *photo.shape[:2])
        if sure < self._model.unsure_below and not self._warned:
            self._warned = True
            LOGGER.warning(
                "label_guided is made for street scenes, and this photo does not look like one: "
                "another codec will show it better (said once)"
            )
        return labels


class _PhotoCoder:
    """One photo at any level; what was coded last is kept, as it is likely to be asked for again."""

    def __init__(self, photo: Photo, labels: Labels | None, model: Model, max_payload: int) -> None:
        self._photo, self._labels, self._model, self._max_payload = photo, labels, model, max_payload
        self._last: tuple[Parameters, list[CodedTile]] | None = None

    def reckoned(self, level: int) -> float:
        """Bytes that a stream is likely to take."""
        return HEADER_BYTES + estimated_size(self._tiles(self._parameters(level, TILE_SIDES[0])), self._max_payload)

    def stream(self, level: int) -> LayeredStream:
        """The stream at this level, or the next coarser one whose segments fit."""
        side = 0
        while True:
            try:
                return self._made(self._parameters(level, TILE_SIDES[side]))
            except TooLargeError as error:
                if error.group == ROOT and side + 1 < len(TILE_SIDES):
                    side += 1
                elif level:
                    level = max(0, level - COARSER - int(COARSER_AN_OCTAVE * math.log2(error.excess)))
                else:
                    raise UsageError("no rate fits segments this small: use larger packets") from error

    def worth(self, level: int) -> NDArray[np.float64]:
        """What a byte is worth in each pixel's block, [H, W]."""
        layout = self._layout(TILE_SIDES[0])
        worth = np.empty((layout.rows, layout.columns))
        for tile in self._tiles(self._parameters(level, layout.tile_side)):
            slopes = tile.gains.sum(0) / (tile.bits.sum(0) + 1)
            worth[tile.window.slices()] = slopes.reshape(tile.window.height, tile.window.width)
        return pixels_of_blocks(worth, layout)

    def _made(self, parameters: Parameters) -> LayeredStream:
        layout, tables = self._layout(parameters.tile_side), self._model.coding.tables.frequencies
        drafts: list[Draft] = []
        for number, tile in enumerate(self._tiles(parameters)):
            drafts += drafts_of(number, tile, tables, layout, self._max_payload, whole=parameters.level > 0)
        kept = ordered(drafts, layout)[:MAX_SEGMENTS]
        number = registry.CODECS["label_guided"].number
        header = StreamHeader(number, self._model.id, layout.width, layout.height, len(kept), parameters.to_bytes())
        return LayeredStream(header, kept)

    def _tiles(self, parameters: Parameters) -> list[CodedTile]:
        if self._last is None or self._last[0] != parameters:
            tiles = coded_tiles(self._photo, self._labels, parameters, self._model)
            self._last = parameters, list(tiles)
        return self._last[1]

    def _parameters(self, level: int, side: int) -> Parameters:
        return Parameters(level, side, blank=self._labels is None)

    def _layout(self, tile_side: int) -> Layout:
        return Layout(self._photo.shape[1], self._photo.shape[0], tile_side)


def _checked(labels: Labels, photo: Photo) -> Labels | None:
    """A label map that was given; raises UsageError for one of another size or of unknown classes."""
    if labels.size == 0:
        return None
    expected = tuple(-(-n // CELL) for n in photo.shape[:2])
    if labels.shape != expected or labels.min() < 0 or labels.max() >= COUNT:
        raise UsageError(f"the label map must have {expected[0]} rows of {expected[1]} classes, 0 to {COUNT - 1}")
    return labels.astype(np.int8)

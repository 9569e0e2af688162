"""The codec: a photo in, a layered stream out, and back."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from progressive import registry
from progressive.codec import Photo, Traits
from progressive.codecs.dual_autoencoder.analysis import analyse
from progressive.codecs.dual_autoencoder.colour import is_grey
from progressive.codecs.dual_autoencoder.decoder import DualAutoencoderDecoder
from progressive.codecs.dual_autoencoder.encoder import TooLargeError, encode_tile, ordered
from progressive.codecs.dual_autoencoder.layout import REGION_SIDES, Layout
from progressive.codecs.dual_autoencoder.model import Model
from progressive.codecs.dual_autoencoder.synthesis import Synthesis
from progressive.contexts import check_context
from progressive.errors import UsageError
from progressive.photos.arrays import as_photo
from progressive.runtime.torch_state import neutral
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.stream import MAX_SEGMENTS, LayeredStream, Segment, StreamHeader

MIN_PAYLOAD = 192
"""A base segment of the smallest tile fits this whatever the photo, since no symbol costs more than 14 bits."""


class DualAutoencoder:
    """Linear autoencoders of 8x8 blocks (Taha et al. 2025, section 3), made progressive.

    photo ─ Y'CbCr 4:2:0 ─ 8x8 blocks ─┬─ G1 (1 output) ────────────> base: every block
                                       └─ what G1 leaves ─ G2 (8 outputs) ─> planes: detailed blocks, ever finer
    """

    @neutral()
    def __init__(self, model: Model | None = None) -> None:
        self._model = model or Model.load()
        self._synthesis = cache(lambda device: Synthesis(self._model, device))

    def __reduce__(self) -> tuple[type[DualAutoencoder], tuple[Model]]:
        """Pickles are of the model alone: what it is prepared to on a device is prepared anew."""
        return type(self), (self._model,)

    @property
    def name(self) -> str:
        return "dual_autoencoder"

    @classmethod
    @neutral()
    def with_weights(cls, path: Path) -> Self:
        return cls(Model.load(path))

    @property
    def model_id(self) -> bytes:
        return self._model.id

    @property
    def traits(self) -> Traits:
        return Traits(MIN_PAYLOAD)

    @neutral()
    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        if context is not None:
            check_context(self, context)
        check_payload(self.name, max_payload, MIN_PAYLOAD)
        photo = as_photo(photo)
        check_size(photo)
        height, width = photo.shape[:2]
        components = 1 if is_grey(photo) else 3
        targets = analyse(photo, Layout(width, height, components), self._model)
        for region in REGION_SIDES:
            layout = Layout(width, height, components, region)
            try:
                drafts = [
                    draft
                    for tile in range(layout.tiles)
                    for draft in encode_tile(tile, layout, self._model, targets, max_payload)
                ]
            except TooLargeError:
                continue
            return self._stream(layout, ordered(drafts))
        raise UsageError(f"no layout fits segments of {max_payload} bytes: use larger packets")

    def _stream(self, layout: Layout, segments: tuple[Segment, ...]) -> LayeredStream:
        kept = segments[:MAX_SEGMENTS]
        number = registry.CODECS[self.name].number
        header = StreamHeader(number, self._model.id, layout.width, layout.height, len(kept), layout.to_parameters())
        return LayeredStream(header, kept)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> DualAutoencoderDecoder:
        check_model(self.name, header, self._model.id)
        return DualAutoencoderDecoder(header, self._model, self._synthesis(device))

    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64] | None:
        if context is not None:
            check_context(self, context)
        return None

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        return None

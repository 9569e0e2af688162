"""A codec of a few lines for tests of everything around codecs: thumbnails of 1/16 and then 1/8 of the size, raw."""

import struct
from collections.abc import Iterable, Iterator

import numpy as np
from PIL import Image

from progressive.codec import DecoderStatus, Photo, Pushed, Traits, pushed_one_by_one
from progressive.errors import BitstreamError
from progressive.registry import Entry
from progressive.runtime.stopping import Stop, never
from progressive.stream import LayeredStream, Segment, StreamHeader

NUMBER = 200
ENTRY = Entry(
    number=NUMBER, factory="fake_codec:ThumbnailCodec", recipe="", weights="", summary="thumbnails, for tests"
)
FACTORS = (16, 8)
_PLACE = struct.Struct("!BI")


def thumbnail_size(width: int, height: int, layer: int) -> tuple[int, int]:
    factor = FACTORS[layer]
    return max(1, width // factor), max(1, height // factor)


class ThumbnailCodec:
    name = "thumbnails"
    model_id = bytes(8)
    traits = Traits(smallest_payload=1 + _PLACE.size)

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        height, width = photo.shape[:2]
        segments = tuple(self._segments(photo, max_payload - _PLACE.size))
        return LayeredStream(StreamHeader(NUMBER, bytes(8), width, height, len(segments)), segments)

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> "ThumbnailDecoder":
        if header.codec != NUMBER:
            raise BitstreamError("not a stream of thumbnails")
        return ThumbnailDecoder(header)

    def importance(self, photo: Photo, context: str | None = None) -> None:
        return None

    def sent_importance(self, header: StreamHeader) -> None:
        return None

    def _segments(self, photo: Photo, room: int) -> Iterator[Segment]:
        height, width = photo.shape[:2]
        number = 0
        for layer in range(len(FACTORS)):
            size = thumbnail_size(width, height, layer)
            samples = np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX)).tobytes()
            for start in range(0, len(samples), room):
                number += 1
                payload = _PLACE.pack(layer, start) + samples[start : start + room]
                yield Segment(number, layer, (), payload, utility=1e6 / number)


class ThumbnailCodecWithContexts(ThumbnailCodec):
    """To classify, only the coarser thumbnail is made."""

    traits = Traits(1 + _PLACE.size, contexts=("classify", "reconstruct", "hybrid"))

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        stream = super().encode(photo, max_payload=max_payload)
        return stream.keep(s for s in stream.segments if s.layer == 0) if context == "classify" else stream


class ThumbnailCodecOfOneRate(ThumbnailCodec):
    """Without room for both, only the coarser thumbnail is made."""

    traits = Traits(1 + _PLACE.size, one_rate=True)

    def encode(
        self, photo: Photo, *, max_payload: int = 1000, context: str | None = None, budget: int | None = None
    ) -> LayeredStream:
        whole = super().encode(photo, max_payload=max_payload)
        coarse = whole.keep(s for s in whole.segments if s.layer == 0)
        return whole if budget is None or whole.size <= budget else coarse


class ThumbnailCodecWithLooks(ThumbnailCodec):
    """Its natural look is the negative."""

    traits = Traits(1 + _PLACE.size, looks=("faithful", "natural"))

    def prepare_look(self, look: str) -> None:
        pass

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> "ThumbnailDecoderWithLooks":
        return ThumbnailDecoderWithLooks(header)


class ThumbnailDecoder:
    def __init__(self, header: StreamHeader) -> None:
        self.header = header
        self._samples: list[bytearray] = []
        self._known: list[int] = []
        self.shown: set[int] = set()
        for layer in range(len(FACTORS)):
            width, height = thumbnail_size(header.width, header.height, layer)
            self._samples.append(bytearray([128]) * (width * height * 3))
            self._known.append(0)

    @property
    def status(self) -> DecoderStatus:
        layer = max((layer for layer, known in enumerate(self._known) if known), default=-1)
        missing = 1 - self._known[0] / len(self._samples[0])
        return DecoderStatus(not missing, layer, len(self.shown), 0, grey=missing, coarse=0)

    def push(self, segment_id: int, payload: bytes) -> bool:
        if segment_id in self.shown:
            return False
        if len(payload) <= _PLACE.size or payload[0] >= len(FACTORS):
            raise BitstreamError("damaged thumbnail")
        layer, start = _PLACE.unpack_from(payload)
        data = payload[_PLACE.size :]
        self.shown.add(segment_id)
        self._samples[layer][start : start + len(data)] = data
        self._known[layer] += len(data)
        return True

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    def picture(self, *, stop: Stop = never) -> Photo:
        pictures = [self._upsampled(layer) for layer in range(len(FACTORS))]
        return pictures[1] if self._known[1] == len(self._samples[1]) else pictures[0]

    def _upsampled(self, layer: int) -> Photo:
        width, height = thumbnail_size(self.header.width, self.header.height, layer)
        small = np.frombuffer(bytes(self._samples[layer]), np.uint8).reshape(height, width, 3)
        full = Image.fromarray(small).resize((self.header.width, self.header.height), Image.Resampling.BICUBIC)
        return np.asarray(full)


class ThumbnailDecoderWithLooks(ThumbnailDecoder):
    def picture(self, *, stop: Stop = never, look: str = "faithful") -> Photo:
        picture = super().picture(stop=stop)
        return 255 - picture if look == "natural" else picture

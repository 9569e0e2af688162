"""A codec from a few lines: whoever has a way to code a square of a photo in steps needs to write nothing else.

A photo is cut into tiles of 512 pixels. Each is coded as a chain of records: the first ones are the base, each further
one refines what those before it show. Tiling, segments, their order, what waits, what is damaged and how far a decoder
has come are the same for all such codecs, and stand here.
"""

from __future__ import annotations

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from progressive.codec import DecoderStatus, Photo, Pushed, Traits, pushed_one_by_one
from progressive.contexts import check_context
from progressive.errors import BitstreamError
from progressive.exact.weights import fingerprint
from progressive.photos.arrays import as_photo
from progressive.runtime.stopping import Stop, check, never
from progressive.runtime.torch_state import neutral
from progressive.segments.intake import Intake
from progressive.segments.limits import check_model, check_payload, check_size
from progressive.segments.ordering import numbered
from progressive.segments.waiting import Waiting
from progressive.stream import FOREIGN, MAX_SEGMENTS, LayeredStream, StreamHeader

TILE = 512
"""Side of a tile in pixels: work follows what was received, not the size that a header claims."""

GREY = 128

_PLACE = struct.Struct("!HBBH")
"""Before a record: its tile, which of the tile's records it is, how many of these are the base, and a checksum."""

MOST_RECORDS = 255


class ChainedCodec(ABC):
    """Codes each tile of a photo by itself, in records each of which needs those before it.

    Fields:
        name: of the codec, for people.
        constants: what decides the meaning of the bytes besides the name, such as a version; part of the model id.
        smallest_payload: bytes of a segment that records can be made to fit, 257 at most.
    """

    name: str
    constants: str = ""
    smallest_payload: int = 257

    @abstractmethod
    def encode_tile(self, tile: Photo, room: int) -> tuple[list[bytes], int]:
        """The records of a tile, [h, w, 3] with sides of 512 at most, and how many of them are its base, 1 or more.

        Each record has 1 to `room` bytes, 255 records at most. A tile of one colour has a base of one record where
        `room` is 990 or more.
        """

    @abstractmethod
    def decode_tile(self, records: Sequence[bytes], height: int, width: int) -> Photo:
        """The picture that the first records of a tile give, one at least, [h, w, 3].

        Records come from outside: raises ValueError if they are none of `encode_tile`'s. Memory and time follow the
        tile's size alone.
        """

    @property
    def traits(self) -> Traits:
        return Traits(self.smallest_payload)

    @property
    def model_id(self) -> bytes:
        return fingerprint(self.tensors(), self.tensors(), f"{self.name} {self.constants}")

    def tensors(self) -> dict[str, NDArray[np.generic]]:
        """Weights by name, which the model id names too; none."""
        return {}

    @neutral()
    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        if context is not None:
            check_context(self, context)
        check_payload(self.name, max_payload, self.smallest_payload)
        photo = as_photo(photo)
        check_size(photo)
        tiles = _Tiles(photo.shape[1], photo.shape[0])
        drafts = [
            draft for tile in range(tiles.count) for draft in self._drafts(tile, photo[tiles.slices(tile)], max_payload)
        ]
        kept = numbered(drafts, lambda draft: draft.rank, lambda draft, _number, _needs: draft.payload)[:MAX_SEGMENTS]
        return LayeredStream(StreamHeader(FOREIGN, self.model_id, tiles.width, tiles.height, len(kept)), kept)

    @neutral()
    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> ChainedDecoder:
        check_model(self.name, header, self.model_id)
        if header.codec != FOREIGN or header.parameters:
            raise BitstreamError(f"a stream of {self.name} has no parameters in its header")
        return ChainedDecoder(self, header)

    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64] | None:
        if context is not None:
            check_context(self, context)
        return None

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        return None

    def _drafts(self, tile: int, own: Photo, max_payload: int) -> Iterator[_Draft]:
        """The records of a tile, each with the squared error that it removes."""
        records, base = self.encode_tile(own, max_payload - _PLACE.size)
        before: list[_Draft] = []
        shown: Photo = np.full(own.shape, GREY, np.uint8)
        for number, record in enumerate(records[:MOST_RECORDS]):
            picture = self.decode_tile(records[: number + 1], *own.shape[:2])
            removed = _squared_error(shown, own) - _squared_error(picture, own)
            payload = _PLACE.pack(tile, number, base, _checksum(tile, number, base, record)) + record
            draft = _Draft(payload, max(0, number + 1 - base), max(removed, 0.0), before)
            shown, before = picture, [draft]
            yield draft


@dataclass
class _Draft:
    """Fields as `progressive.segments.ordering.Draft` has them."""

    payload: bytes
    layer: int
    utility: float
    needs: list[_Draft]

    @property
    def rank(self) -> tuple[float, ...]:
        """The base first, then what a byte is worth most of."""
        return (0.0, 0.0) if self.layer == 0 else (1.0, -self.utility / len(self.payload))


class _Tiles:
    """Where tiles are in a photo, row by row."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.columns = -(-width // TILE)
        self.count = self.columns * -(-height // TILE)

    def slices(self, tile: int) -> tuple[slice, slice]:
        top, left = (TILE * place for place in divmod(tile, self.columns))
        return slice(top, min(top + TILE, self.height)), slice(left, min(left + TILE, self.width))

    def shape(self, tile: int) -> tuple[int, int]:
        rows, columns = self.slices(tile)
        return rows.stop - rows.start, columns.stop - columns.start


class ChainedDecoder:
    """Holds the records of each tile that came in a row, and the picture of these."""

    def __init__(self, codec: ChainedCodec, header: StreamHeader) -> None:
        self.header = header
        self.shown: set[int] = set()
        self._codec, self._tiles = codec, _Tiles(header.width, header.height)
        self._known: dict[int, _Known] = {}
        self._intake, self._waiting = Intake(header.segment_count), Waiting[tuple[int, bytes]]()

    @property
    def status(self) -> DecoderStatus:
        area = self.header.width * self.header.height
        sizes = {tile: own.picture.shape[0] * own.picture.shape[1] for tile, own in self._known.items()}
        known = sum(sizes.values())
        coarse = sum(sizes[tile] for tile, own in self._known.items() if not own.base_complete)
        layer = max((own.layer for own in self._known.values()), default=-1)
        complete = known == area and not coarse
        return DecoderStatus(complete, layer, len(self.shown), self._waiting.count, 1 - known / area, coarse / area)

    @neutral()
    def push(self, segment_id: int, payload: bytes) -> bool:
        if not self._intake.wants(segment_id):
            return False
        if len(payload) <= _PLACE.size:
            raise BitstreamError("a record is too short")
        tile, number, _, _ = _PLACE.unpack_from(payload)
        if tile >= self._tiles.count:
            raise BitstreamError(f"there is no tile {tile} in {self.header.width}x{self.header.height} pixels")
        self._intake.take(segment_id)
        known = len(self._known[tile].records) if tile in self._known else 0
        if number > known:
            self._waiting.put((tile, number), (segment_id, payload))
            return False
        if number < known or not self._take(tile, segment_id, payload):
            self._intake.give_back(segment_id)
            raise BitstreamError(f"record {number} of tile {tile} is damaged")
        self._take_what_waited(tile)
        return True

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    def picture(self, *, stop: Stop = never) -> Photo:
        picture = np.full((self.header.height, self.header.width, 3), GREY, np.uint8)
        for tile, own in self._known.items():
            check(stop)
            picture[self._tiles.slices(tile)] = own.picture
        return picture

    def _take(self, tile: int, segment_id: int, payload: bytes) -> bool:
        """Whether the next record of a tile is sound; nothing has changed if it is not."""
        _, number, base, checksum = _PLACE.unpack_from(payload)
        record, before = payload[_PLACE.size :], self._known.get(tile)
        if not base or (before and before.base != base) or checksum != _checksum(tile, number, base, record):
            return False
        records = [*(before.records if before else ()), record]
        try:
            picture = self._codec.decode_tile(records, *self._tiles.shape(tile))
        except ValueError:
            return False
        self._known[tile] = _Known(records, base, picture)
        self.shown.add(segment_id)
        return True

    def _take_what_waited(self, tile: int) -> None:
        """Of several that waited for one place the first sound one is taken; the others may come again."""
        while waited := self._waiting.take((tile, len(self._known[tile].records))):
            place = len(self._known[tile].records)
            for (segment_id, payload), _ in waited:
                if len(self._known[tile].records) > place or not self._take(tile, segment_id, payload):
                    self._intake.give_back(segment_id)


@dataclass(frozen=True)
class _Known:
    """What is known of a tile. Fields: its first records; how many are the base; the picture that they give."""

    records: list[bytes]
    base: int
    picture: Photo

    @property
    def base_complete(self) -> bool:
        return len(self.records) >= self.base

    @property
    def layer(self) -> int:
        return max(0, len(self.records) - self.base)


def _checksum(tile: int, number: int, base: int, record: bytes) -> int:
    return zlib.crc32(_PLACE.pack(tile, number, base, 0) + record) & 0xFFFF


def _squared_error(picture: Photo, original: Photo) -> float:
    return float(np.square(picture.astype(np.int32) - original).sum())

"""The two protocols that every codec implements; `tests/progressive/test_codec_contract.py` runs over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from progressive.errors import BitstreamError, UsageError
from progressive.runtime.stopping import Stop, never
from progressive.stream import LayeredStream, StreamHeader
from progressive.units import format_percent

Photo = NDArray[np.uint8]
"""An sRGB photo, [H, W, 3], 0..255."""


FAITHFUL = "faithful"
"""The look that every codec's pictures have: as close to the photo as can be."""


Objective = Literal["fidelity", "perception"]
"""What pictures are made for."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What a codec is like, for whoever has to know before it is used.

    Fields:
        smallest_payload: bytes that its segments need at least.
        contexts: what it can be told that a picture is for, by which it orders its segments; empty if it has one order.
        one_rate: a stream is made for one rate, and cut far below it is worse than one made for less: see `RatedCodec`.
        objective: what its pictures are made for: to be close to the photo, or to look right.
        looks: how pictures of the same bytes can look; see `progressive.looks`.
        searches: the encoder can spend more time for better pictures of the same bytes: see `SearchingCodec`.
        stops_early: told a budget, the encoder leaves out what lies far beyond it, which saves time: see `RatedCodec`.
    """

    smallest_payload: int
    contexts: tuple[str, ...] = ()
    one_rate: bool = False
    objective: Objective = "fidelity"
    looks: tuple[str, ...] = (FAITHFUL,)
    searches: bool = False
    stops_early: bool = False


@dataclass(frozen=True, slots=True)
class DecoderStatus:
    """How far a decoder has come.

    Fields:
        base_complete: every base segment is decoded.
        layer: the highest layer that any decoded segment belongs to; -1 before the first.
        decoded: number of segments that the picture shows.
        waiting: number of segments that wait for one they depend on.
        grey: share of the picture's area of which nothing is known, 0..1.
        coarse: share that is shown without its whole base, 0..1.
    """

    base_complete: bool
    layer: int
    decoded: int
    waiting: int
    grey: float
    coarse: float

    def gaps_in_words(self) -> str:
        """`25% of the picture grey, 10% coarse`; empty once the base is complete."""
        shares = {"grey": self.grey, "coarse": self.coarse}
        gaps = [(format_percent(share, digits=2), how) for how, share in shares.items() if share > 0]
        return ", ".join(f"{share}{' of the picture' * (not i)} {how}" for i, (share, how) in enumerate(gaps))


@dataclass(frozen=True, slots=True)
class Pushed:
    """What came of pushing segments. Fields: changed: whether the picture will; damaged: how many were refused."""

    changed: bool
    damaged: int


def pushed_one_by_one(decoder: ProgressiveDecoder, segments: Iterable[tuple[int, bytes]]) -> Pushed:
    """`push_all` of a decoder that has no faster way."""
    changed, damaged = False, 0
    for segment_id, payload in segments:
        try:
            changed |= decoder.push(segment_id, payload)
        except BitstreamError:
            damaged += 1
    return Pushed(changed, damaged)


class ProgressiveDecoder(Protocol):
    """Holds the state of one picture: push segments as they arrive, ask for the picture when one is wanted.

    The picture depends on the set of segments pushed, never on their order or number of copies.
    """

    @property
    def header(self) -> StreamHeader: ...

    @property
    def shown(self) -> Set[int]:
        """Ids of the segments that the picture shows, `status.decoded` of them."""
        ...

    @property
    def status(self) -> DecoderStatus: ...

    def push(self, segment_id: int, payload: bytes) -> bool:
        """Takes one segment; True if the picture will change. Raises BitstreamError if the payload is damaged."""
        ...

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        """Takes segments, (id, payload) each, as `push` would one after the other, if possible faster."""
        ...

    def picture(self, *, stop: Stop = never) -> Photo:
        """The best picture of what has been pushed, [H, W, 3]; mid-grey where nothing is known.

        `stop` is asked between the pieces of a large picture; raises StoppedError if it says so.
        """
        ...


class ProgressiveCodec(Protocol):
    """Encodes a photo once into a stream of which any dependency-closed part decodes."""

    @property
    def name(self) -> str: ...

    @property
    def traits(self) -> Traits: ...

    @property
    def model_id(self) -> bytes:
        """Eight bytes in the headers of its streams that name what decides them: its weights, if it has any."""
        ...

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        """Codes a photo into segments of at most `max_payload` bytes, in order of utility per byte.

        The photo may be all that `progressive.photos.arrays.as_photo` takes for one; the context is one of the codec's,
        or None for its usual order. Raises UsageError for anything else, for a photo over `MAX_PIXELS` and for a
        payload limit below the codec's smallest.
        """
        ...

    def importance(self, photo: Photo, context: str | None = None) -> NDArray[np.float64] | None:
        """What the order of sending follows: how much is gained by a byte for each pixel, [H, W], of any scale.

        None if the codec does not tell areas apart. Raises UsageError as `encode` does.
        """
        ...

    def sent_importance(self, header: StreamHeader) -> NDArray[np.uint8] | None:
        """Where meaning is, as the header tells it: levels from 0 on, [rows, columns]; None if it does not.

        Raises BitstreamError if the header is damaged.
        """
        ...

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> ProgressiveDecoder:
        """A fresh decoder; raises BitstreamError if the header is not one of this codec's and model's."""
        ...


class WeightedCodec(ProgressiveCodec, Protocol):
    """A codec that can be made with other weights than its usual ones."""

    @classmethod
    def with_weights(cls, path: Path) -> Self:
        """The codec with the weights of a file; raises UsageError if it holds none of this codec's."""
        ...


class RatedCodec(ProgressiveCodec, Protocol):
    """A codec whose traits say `one_rate` or `stops_early`."""

    def encode(
        self, photo: Photo, *, max_payload: int = 1000, context: str | None = None, budget: int | None = None
    ) -> LayeredStream:
        """As `ProgressiveCodec.encode`, for a rate.

        `budget` is what the whole stream should take, in bytes of `LayeredStream.size`: it comes as close from below as
        the codec's rates allow. Without one the codec chooses. A stream of one that `stops_early` is larger than its
        budget, where there is as much; cut there, it hardly differs from the whole one cut there.
        """
        ...


MAX_EFFORT = 9


class SearchingCodec(ProgressiveCodec, Protocol):
    """A codec whose traits say `searches`."""

    def at_effort(self, effort: int) -> ProgressiveCodec:
        """The codec with an encoder that spends more time, 0..MAX_EFFORT; decoders know nothing of it."""
        ...


def with_effort(codec: ProgressiveCodec, effort: int) -> ProgressiveCodec:
    """A codec whose encoder spends this effort; 0 is the quickest, and what a codec without a search always takes.

    Raises UsageError outside 0..MAX_EFFORT, and for more than 0 if the codec has no search.
    """
    if not 0 <= effort <= MAX_EFFORT:
        raise UsageError(f"there is no effort {effort}: it is a whole number from 0 to {MAX_EFFORT}")
    if not effort:
        return codec
    if not codec.traits.searches:
        raise UsageError(f"the encoder of {codec.name} has one effort: leave --effort out")
    return cast(SearchingCodec, codec).at_effort(effort)


def encode_for(
    codec: ProgressiveCodec,
    photo: Photo,
    budget: int | None,
    *,
    max_payload: int = 1000,
    context: str | None = None,
) -> LayeredStream:
    """`codec.encode`, told how many bytes can be used if that makes a difference to the codec."""
    if not (codec.traits.one_rate or codec.traits.stops_early):
        return codec.encode(photo, max_payload=max_payload, context=context)
    return cast(RatedCodec, codec).encode(photo, max_payload=max_payload, context=context, budget=budget)

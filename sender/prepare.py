"""From a photo to a stream that suits the bandwidth: read, downscaled where that is better, encoded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from progressive.codec import Photo, ProgressiveCodec, encode_for
from progressive.errors import UsageError
from progressive.files import is_standard
from progressive.packing.packed import PackedStream
from progressive.photos import downscale, find_photos, read_photo, sample_photo
from progressive.photos.arrays import as_photo
from progressive.photos.colours import Tell
from progressive.photos.exif import about_photo
from progressive.segments.limits import check_size
from progressive.shell.display import once
from progressive.stream import LayeredStream
from progressive.units import counted, format_bandwidth, format_size, format_time
from progressive.wire.about import About
from progressive.wire.placement import Placement
from sender.expectation import Expected
from sender.handed import Given, HandedFrames, HandedPhoto
from sender.manifests import reserve_of
from sender.settings import SenderSettings
from sender.sizes import SHORTEST_SIDE, Sizes

SAMPLE = "astronaut"
ROOM_FOR_BASE = 2
"""A deadline of this many times what the base takes would do: as much again for parity and repairs."""

LEAST_STEP = 1.1
"""The sides shrink by this factor at least from one try to the next."""

PARITY_SHARE = 0.25
"""What parity and repairs are reckoned to take beside the stream, where a redundancy does not say it."""

RATE_MARGIN = 1.1
"""A stream that is made for a rate may be this many times as large: its last segments come late, or not at all."""

Encode = Callable[[Photo], PackedStream]


@dataclass(frozen=True, slots=True)
class Source:
    """A photo to send: its name, unique in the run, and its file; none for the sample photo, or the one at hand."""

    name: str
    path: Path | None
    tell: Tell | None = None
    """Takes what a person should know about how it was read."""
    photo: Photo | None = None

    def about(self) -> About:
        """What is known of the photo beside its pixels."""
        return About(name=self.name) if self.path is None else about_photo(self.path)

    def read(self) -> Photo:
        """The photo, [H, W, 3]; raises UsageError if it cannot be read."""
        if self.photo is not None:
            return self.photo
        return sample_photo(self.name) if self.path is None else read_photo(self.path, tell=self.tell)


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A photo ready to be sent.

    Fields:
        name: of the photo.
        original: as it was read, [H, W, 3].
        photo: as encoded, [H, W, 3].
        packed: its code, or that of a part of it, as it is sent.
        note: what was changed, in one line; empty if nothing was.
        expected: tells how good its pictures will be; None where nobody asks for that.
        about: what receivers are told of it.
    """

    name: str
    original: Photo
    photo: Photo
    packed: PackedStream
    note: str
    expected: Expected | None = None
    about: About = field(default_factory=About)

    @property
    def stream(self) -> LayeredStream:
        return self.packed.stream

    @property
    def placement(self) -> Placement | None:
        return self.packed.placement

    def in_words(self) -> str:
        """What will be sent, in one line."""
        header, segments = self.stream.header, self.stream.segments
        size = format_size(self.stream.size, digits=3)
        return self.note or f"{self.name}: {header.width}x{header.height}, {counted(len(segments), 'segment')}, {size}"


def find_sources(source: Given, tell: Tell | None = None) -> list[Source]:
    """The photos that a file name, a folder or a glob stands for, or the one at hand; UsageError if there is none.

    `tell` takes what a person should know about how they are read, each line once.
    """
    if source is None:
        return [Source(SAMPLE, None)]
    if isinstance(source, HandedPhoto):
        return [Source(source.name, None, photo=source.photo)]
    if isinstance(source, HandedFrames):
        raise UsageError("frames are sent as a sequence: hand over a single photo")
    paths = find_photos(source)
    names = _unique_names("photo" if is_standard(path) else path.stem for path in paths)
    tell = tell and once(tell)
    return [Source(name, path, tell) for name, path in zip(names, paths, strict=True)]


def prepare(
    source: Source,
    codec: ProgressiveCodec,
    settings: SenderSettings,
    *,
    full_size: bool,
    context: str | None = None,
    with_metadata: bool = False,
) -> PreparedPhoto:
    """Reads and encodes a photo, for a context if one is given; `with_metadata` receivers are told what is known of it.

    Unless `full_size`, it is downscaled where that gives a better picture at the deadline: see `sender.sizes`. Raises
    UsageError if the photo cannot be read, or its base cannot be sent within the deadline even so.
    """
    prepared = prepare_photo(source.name, source.read(), codec, settings, full_size=full_size, context=context)
    return replace(prepared, about=source.about()) if with_metadata else prepared


def prepare_photo(
    name: str,
    original: Photo,
    codec: ProgressiveCodec,
    settings: SenderSettings,
    *,
    full_size: bool,
    context: str | None = None,
    factor: float | None = None,
) -> PreparedPhoto:
    """As `prepare`, with a photo that was read, [H, W, 3], or all that `as_photo` takes for one.

    `factor`: what its sides are divided by; None chooses.
    """
    original = as_photo(original)
    check_size(original)
    max_payload, budget = _max_payload(codec, settings), _budget(settings)
    # What is beyond the deadline may still be sent: by a carousel, or to who joins later.
    used = budget if codec.traits.one_rate else None

    def encode(photo: Photo) -> PackedStream:
        stream = encode_for(codec, photo, used, max_payload=max_payload, context=context)
        return PackedStream.of(stream, settings.payload_size, short=settings.short)

    if full_size or factor is not None:
        photo = downscale(original, factor or 1.0)
        packed = encode(photo)
    elif codec.traits.one_rate:
        photo, packed = _fitted(original, encode, budget)
    else:
        sizes = Sizes(
            original,
            codec,
            encode,
            budget_bytes=budget,
            base_share=lambda packed: base_seconds(packed, settings) / settings.airtime_s,
        )
        best = sizes.best()
        photo, packed = best.photo, best.packed
    _check_base(name, photo, packed, settings, advice=" or leave --full-size out" if full_size else "")
    note = "" if photo is original else _note(name, original, photo, codec)
    expected = Expected(packed, codec, original, None if settings.follow else budget)
    return PreparedPhoto(name, original, photo, packed, note, expected)


def encode_part(
    part: Photo, codec: ProgressiveCodec, settings: SenderSettings, *, context: str | None = None
) -> LayeredStream:
    """The stream of a part of a frame, [H, W, 3], in segments that leave room for its placement."""
    max_payload = _max_payload(codec, settings, placed=True)
    return encode_for(codec, part, _budget(settings), max_payload=max_payload, context=context)


def base_seconds(packed: PackedStream, settings: SenderSettings) -> float:
    """How long the base takes to send, packet overhead and what it cannot be read without included."""
    packets = (packet for block in packed.blocks if block.layer == 0 for packet in block.packets)
    told = reserve_of(packed, settings, budget_bytes=0) if packed.short else 0
    return settings.airtime_of(told + sum(settings.wire_size_of_payload(p.payload_size) for p in packets))


def airtime_needed(prepared: PreparedPhoto, settings: SenderSettings) -> float:
    """Seconds on the air that a photo can use: until the deadline, or as long as it takes with parity."""
    parity = PARITY_SHARE if settings.redundancy is None else settings.redundancy
    useful = settings.payload_size / settings.wire_size_of_payload(settings.payload_size)
    return min(settings.airtime_s, settings.airtime_of(prepared.stream.size * (1 + parity) / useful))


def _budget(settings: SenderSettings) -> int:
    """Bytes of a stream that there is time for, beside packet overhead, parity and what is sent again."""
    parity = PARITY_SHARE if settings.redundancy is None else settings.redundancy
    useful = settings.payload_size / settings.wire_size_of_payload(settings.payload_size)
    return max(1, int(settings.budget_bytes * useful / (1 + parity)))


def _max_payload(codec: ProgressiveCodec, settings: SenderSettings, *, placed: bool = False) -> int:
    """Of a segment, in bytes; raises UsageError if packets are too small for the codec's."""
    return settings.max_segment_payload(codec.traits.smallest_payload, placed=placed)


def _fitted(original: Photo, encode: Encode, budget: int) -> tuple[Photo, PackedStream]:
    """Of a codec whose streams are made for one rate: a photo so small that its stream can be sent, and the stream."""
    factor, largest = 1.0, max(1.0, float(min(original.shape[:2]) / SHORTEST_SIDE))
    packed = encode(photo := original)
    while (excess := packed.stream.size / (budget * RATE_MARGIN)) > 1 and factor < largest:
        factor = min(largest, factor * max(LEAST_STEP, math.sqrt(excess)))
        packed = encode(photo := downscale(original, factor))
    return photo, packed


def _check_base(name: str, photo: Photo, packed: PackedStream, settings: SenderSettings, *, advice: str) -> None:
    """Raises UsageError if there is no time for the base; `advice` is what else to do."""
    base_s = base_seconds(packed, settings)
    if base_s > settings.airtime_s:
        needs = f"the base of {_size(photo)} pixels takes {format_time(base_s, digits=2)}"
        enough_s = math.ceil(ROOM_FOR_BASE * base_s)
        raise UsageError(
            f"{name}: {needs} at {format_bandwidth(settings.bandwidth_bps)}, longer than the deadline: "
            f"use --deadline {enough_s}s or more{advice}"
        )


def _note(name: str, original: Photo, photo: Photo, codec: ProgressiveCodec) -> str:
    """That the photo was downscaled, and why."""
    aim = "so that its stream can be sent within" if codec.traits.one_rate else "which is best at"
    return f"{name}: downscaled from {_size(original)} to {_size(photo)}, {aim} the deadline (--full-size keeps it)"


def _size(photo: Photo) -> str:
    return f"{photo.shape[1]}x{photo.shape[0]}"


def _unique_names(stems: Iterable[str]) -> list[str]:
    """Printable names, each once: the second `a` becomes `a_2`."""
    names: dict[str, None] = {}
    for stem in stems:
        printable = "".join(c if c.isprintable() else "_" for c in stem)
        if not printable.strip("."):
            printable = "photo"  # the names of the folder itself and the one above
        candidates = (f"{printable}_{copy}" if copy > 1 else printable for copy in count(1))
        names[next(name for name in candidates if name not in names)] = None
    return list(names)

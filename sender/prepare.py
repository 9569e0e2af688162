"""From a photo to a stream that suits the bandwidth: read, downscaled if its base would take too long, encoded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from progressive.codec import Photo, ProgressiveCodec, encode_for
from progressive.errors import UsageError
from progressive.packing.packed import PackedStream
from progressive.packing.packetizer import max_segment_payload
from progressive.photos import downscale, find_photos, read_photo, sample_photo
from progressive.photos.arrays import as_photo
from progressive.photos.colours import Tell
from progressive.shell.display import once
from progressive.stream import LayeredStream
from progressive.units import counted, format_bandwidth, format_percent, format_size, format_time
from progressive.wire.placement import Placement
from sender.expectation import Expected
from sender.settings import SenderSettings

SAMPLE = "astronaut"
BASE_SHARE = 0.1
"""The base may take this share of the time until the deadline, so that most of it is left to refine the picture."""

ROOM_FOR_BASE = 2
"""A deadline of this many times what the base takes would do: as much again for parity and repairs."""

SHORTEST_SIDE = 64
"""No photo is downscaled to a shorter side than this: less shows nothing, and its base hardly takes fewer bytes."""

TRIAL_PIXELS = 512 * 512
LEAST_STEP = 1.1
"""The sides shrink by this factor at least from one try to the next."""

TRIAL_MARGIN = 4
"""A base grows more slowly than its photo: by less than this margin between a small copy and the size that fits."""

PARITY_SHARE = 0.25
"""What parity and repairs are reckoned to take beside the stream, where a redundancy does not say it."""

RATE_MARGIN = 1.1
"""A stream that is made for a rate may be this many times as large: its last segments come late, or not at all."""

Encode = Callable[[Photo], PackedStream]


@dataclass(frozen=True, slots=True)
class Source:
    """A photo to send: its name, unique in the run, and its file; no file stands for the sample photo."""

    name: str
    path: Path | None
    tell: Tell | None = None
    """Takes what a person should know about how it was read."""

    def read(self) -> Photo:
        """The photo, [H, W, 3]; raises UsageError if it cannot be read."""
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
    """

    name: str
    original: Photo
    photo: Photo
    packed: PackedStream
    note: str
    expected: Expected | None = None

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


def find_sources(source: str | None, tell: Tell | None = None) -> list[Source]:
    """The photos that a file name, a folder or a glob stands for; raises UsageError if there is none.

    `tell` takes what a person should know about how they are read, each line once.
    """
    if source is None:
        return [Source(SAMPLE, None)]
    paths = find_photos(source)
    names = _unique_names(path.stem for path in paths)
    tell = tell and once(tell)
    return [Source(name, path, tell) for name, path in zip(names, paths, strict=True)]


def prepare(
    source: Source,
    codec: ProgressiveCodec,
    settings: SenderSettings,
    *,
    full_size: bool,
    context: str | None = None,
) -> PreparedPhoto:
    """Reads and encodes a photo, for a context if one is given.

    Unless `full_size`, it is downscaled until its base takes a tenth of the deadline at most, or a side is as short as
    it may be. Raises UsageError if the photo cannot be read, or its base cannot be sent within the deadline even so.
    """
    return prepare_photo(source.name, source.read(), codec, settings, full_size=full_size, context=context)


def prepare_photo(
    name: str,
    original: Photo,
    codec: ProgressiveCodec,
    settings: SenderSettings,
    *,
    full_size: bool,
    context: str | None = None,
) -> PreparedPhoto:
    """As `prepare`, with a photo that was read, [H, W, 3], or all that `as_photo` takes for one."""
    original = as_photo(original)
    max_payload, budget = _max_payload(codec, settings), _budget(settings)

    def encode(photo: Photo) -> PackedStream:
        stream = encode_for(codec, photo, budget, max_payload=max_payload, context=context)
        return PackedStream.of(stream, settings.payload_size)

    def excess(packed: PackedStream) -> float:
        """How many times what there is time for: the base, or all of a stream that was made for a rate."""
        if codec.traits.one_rate:
            return packed.stream.size / (budget * RATE_MARGIN)
        return base_seconds(packed, settings) / (BASE_SHARE * settings.deadline_s)

    factor = 1.0 if full_size or codec.traits.one_rate else _factor_that_could_fit(original, encode, settings)
    smallest = 1.0 if full_size else _largest_factor(original)
    packed = encode(photo := downscale(original, factor))
    while excess(packed) > 1 and factor < smallest:
        factor = min(smallest, factor * max(LEAST_STEP, math.sqrt(excess(packed))))
        packed = encode(photo := downscale(original, factor))
    _check_base(name, photo, packed, settings, advice=" or leave --full-size out" if full_size else "")
    note = "" if photo is original else _note(name, original, photo, packed, codec, settings)
    expected = Expected(packed, codec, original, budget)
    return PreparedPhoto(name, original, photo, packed, note, expected)


def encode_part(
    part: Photo, codec: ProgressiveCodec, settings: SenderSettings, *, context: str | None = None
) -> LayeredStream:
    """The stream of a part of a frame, [H, W, 3], in segments that leave room for its placement."""
    max_payload = _max_payload(codec, settings, placed=True)
    return encode_for(codec, part, _budget(settings), max_payload=max_payload, context=context)


def base_seconds(packed: PackedStream, settings: SenderSettings) -> float:
    """How long the base takes to send, packet overhead included."""
    packets = (packet for block in packed.blocks if block.layer == 0 for packet in block.packets)
    return sum(settings.wire_size_of_payload(p.payload_size) for p in packets) * 8 / settings.bandwidth_bps


def _budget(settings: SenderSettings) -> int:
    """Bytes of a stream that there is time for, beside packet overhead, parity and what is sent again."""
    parity = PARITY_SHARE if settings.redundancy is None else settings.redundancy
    useful = settings.payload_size / settings.wire_size_of_payload(settings.payload_size)
    return max(1, int(settings.bandwidth_bps * settings.deadline_s / 8 * useful / (1 + parity)))


def _max_payload(codec: ProgressiveCodec, settings: SenderSettings, *, placed: bool = False) -> int:
    """Of a segment, in bytes; raises UsageError if packets are too small for the codec's."""
    return max_segment_payload(
        settings.packet_size,
        settings.inner_parity,
        smallest=codec.traits.smallest_payload,
        placed=placed,
        sealed=settings.sealed,
    )


def _largest_factor(photo: Photo) -> float:
    """By how much the sides may be divided, 1 or more."""
    return max(1.0, float(min(photo.shape[:2]) / SHORTEST_SIDE))


def _factor_that_could_fit(photo: Photo, encode: Encode, settings: SenderSettings) -> float:
    """Spares the encoding of a photo whose base is far too large: what to divide its sides by at least, as a small copy
    of it tells."""
    copy = downscale(photo, max_pixels=TRIAL_PIXELS)
    if photo.size <= TRIAL_MARGIN * copy.size:
        return 1.0
    base_s = base_seconds(encode(copy), settings) * float(photo.size / copy.size)
    excess = base_s / (TRIAL_MARGIN * BASE_SHARE * settings.deadline_s)
    return min(_largest_factor(photo), max(1.0, math.sqrt(excess)))


def _check_base(name: str, photo: Photo, packed: PackedStream, settings: SenderSettings, *, advice: str) -> None:
    """Raises UsageError if there is no time for the base; `advice` is what else to do."""
    base_s = base_seconds(packed, settings)
    if base_s > settings.deadline_s:
        needs = f"the base of {_size(photo)} pixels takes {format_time(base_s, digits=2)}"
        enough_s = math.ceil(ROOM_FOR_BASE * base_s)
        raise UsageError(
            f"{name}: {needs} at {format_bandwidth(settings.bandwidth_bps)}, longer than the deadline: "
            f"use --deadline {enough_s}s or more{advice}"
        )


def _note(
    name: str,
    original: Photo,
    photo: Photo,
    packed: PackedStream,
    codec: ProgressiveCodec,
    settings: SenderSettings,
) -> str:
    """That the photo was downscaled, and why."""
    share = base_seconds(packed, settings) / settings.deadline_s
    if codec.traits.one_rate:
        aim = "so that its stream can be sent within the deadline"
    elif share > BASE_SHARE:
        aim = f"as far as it goes: the base takes {format_percent(share, digits=2)} of the deadline"
    else:
        aim = f"so that the base takes at most {format_percent(BASE_SHARE)} of the deadline"
    return f"{name}: downscaled from {_size(original)} to {_size(photo)}, {aim} (--full-size keeps it)"


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

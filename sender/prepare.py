"""From a photo to a stream that suits the bandwidth: read, downscaled if its base would take too long, encoded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from progressive.codec import Photo, ProgressiveCodec
from progressive.contexts import encode_in_context
from progressive.photos import downscale, find_photos, read_photo, sample_photo
from progressive.stream import LayeredStream
from progressive.units import format_percent, format_size
from progressive.wire.placement import Placement
from sender.order import order_segments
from sender.packetizer import max_segment_payload, packetize
from sender.settings import SenderSettings

SAMPLE = "astronaut"
BASE_SHARE = 0.1
"""The base may take this share of the time until the deadline, so that most of it is left to refine the picture."""

TRIAL_PIXELS = 512 * 512
TRIAL_MARGIN = 4
"""A base grows more slowly than its photo: by less than this margin between a small copy and the size that fits."""

Encode = Callable[[Photo], LayeredStream]


@dataclass(frozen=True, slots=True)
class Source:
    """A photo to send: its name, unique in the run, and its file; no file stands for the sample photo."""

    name: str
    path: Path | None

    def read(self) -> Photo:
        """The photo, [H, W, 3]; raises UsageError if it cannot be read."""
        return sample_photo(self.name) if self.path is None else read_photo(self.path)


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A photo ready to be sent.

    Fields:
        name: of the photo.
        photo: as encoded, [H, W, 3].
        stream: its code.
        note: what was changed, in one line; empty if nothing was.
        placement: where the picture of the stream belongs, if that is only a part of the photo; None if it is all.
    """

    name: str
    photo: Photo
    stream: LayeredStream
    note: str
    placement: Placement | None = None

    def in_words(self) -> str:
        """What will be sent, in one line."""
        header, segments = self.stream.header, self.stream.segments
        size = format_size(self.stream.size, digits=3)
        return self.note or f"{self.name}: {header.width}x{header.height}, {len(segments)} segments, {size}"


def find_sources(source: str | None) -> list[Source]:
    """The photos that a file name, a folder or a glob stands for; raises UsageError if there is none."""
    if source is None:
        return [Source(SAMPLE, None)]
    paths = find_photos(source)
    names = _unique_names(path.stem for path in paths)
    return [Source(name, path) for name, path in zip(names, paths, strict=True)]


def prepare(
    source: Source,
    codec: ProgressiveCodec,
    settings: SenderSettings,
    *,
    full_size: bool,
    context: str | None = None,
) -> PreparedPhoto:
    """Reads and encodes a photo, for a context if one is given; unless `full_size`, its base then takes a tenth of the
    deadline at most.

    Raises UsageError if the photo cannot be read.
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
    """As `prepare`, with a photo that was read, [H, W, 3]."""
    max_payload = max_segment_payload(settings.packet_size, settings.inner_parity, sealed=settings.sealed)
    encode: Encode = partial(encode_in_context, codec, max_payload=max_payload, context=context)
    photo = original
    allowed_s = BASE_SHARE * settings.deadline_s
    if not full_size:
        photo = _cut_down_to_what_could_fit(original, encode, settings, allowed_s)
    stream = encode(photo)
    while not full_size and (base_s := base_seconds(stream, settings)) > allowed_s and max(photo.shape[:2]) > 1:
        smaller = max(1.1, math.sqrt(base_s / allowed_s))
        photo = downscale(original, max(original.shape) / max(photo.shape) * smaller)
        stream = encode(photo)
    note = ""
    if photo is not original:
        note = (
            f"{name}: downscaled from {_size(original)} to {_size(photo)}, so that the base takes at most "
            f"{format_percent(BASE_SHARE)} of the deadline (--full-size keeps it)"
        )
    return PreparedPhoto(name, photo, stream, note)


def encode_part(
    part: Photo, codec: ProgressiveCodec, settings: SenderSettings, *, context: str | None = None
) -> LayeredStream:
    """The stream of a part of a frame, [H, W, 3], in segments that leave room for its placement."""
    max_payload = max_segment_payload(settings.packet_size, settings.inner_parity, placed=True, sealed=settings.sealed)
    return encode_in_context(codec, part, max_payload=max_payload, context=context)


def base_seconds(stream: LayeredStream, settings: SenderSettings) -> float:
    """How long the base takes to send, packet overhead included."""
    blocks = packetize(stream.header, order_segments(stream.segments), settings.payload_size)
    packets = (packet for block in blocks if block.layer == 0 for packet in block.packets)
    return sum(settings.wire_size_of_payload(p.payload_size) for p in packets) * 8 / settings.bandwidth_bps


def _cut_down_to_what_could_fit(photo: Photo, encode: Encode, settings: SenderSettings, allowed_s: float) -> Photo:
    """Spares the encoding of a photo whose base is far too large, as a small copy of it tells."""
    copy = downscale(photo, max_pixels=TRIAL_PIXELS)
    if photo.size <= TRIAL_MARGIN * copy.size:
        return photo
    seconds_per_pixel = base_seconds(encode(copy), settings) / (copy.shape[0] * copy.shape[1])
    return downscale(photo, max_pixels=max(1, int(TRIAL_MARGIN * allowed_s / seconds_per_pixel)))


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

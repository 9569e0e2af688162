"""The `.prog` file: a stream on disk, of which any cut after the header decodes. `FILE_FORMAT.md` says why.

All numbers are unsigned and in network order.

    file    magic         4   8F 50 52 47
            version       1   1
            length        2   of the stream header
            header        .   StreamHeader, see stream.py
            checksum      4   CRC-32C of all of the above
            records       .   as many as there are segments, in the sender's order

    record  sync          2   B5 4C
            segment id    2   1..65535
            length        2   of the payload
            payload       .
            checksum      4   CRC-32C of the file header's checksum, segment id, length and payload
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import google_crc32c

from progressive.errors import BitstreamError, UsageError, WireError
from progressive.files import write_atomically
from progressive.stream import MAX_PIXELS, LayeredStream, Segment, StreamHeader
from progressive.wire.about import About

MAGIC = b"\x8fPRG"
VERSION = 1
SYNC = b"\xb5\x4c"

ABOUT_MARK = b"\x8fabout\r\n"
"""What the payload of a record begins with that says something of the photo, in the place of a segment."""

MAX_FILE_BYTES = 4 * MAX_PIXELS
"""Largest file that is read into memory: no photo needs more than an uncompressed one of the largest size."""

_HEAD = struct.Struct("!4sBH")
_RECORD = struct.Struct("!2sHH")
_CHECKSUM = struct.Struct("!I")

RECORD_OVERHEAD = _RECORD.size + _CHECKSUM.size
"""Bytes of a record beside its payload."""

_WASTED_CHECKS = 8
"""Bytes of failed checksums allowed for each byte of a file: ordinary damage costs less than one, while a file of
nothing but sync markers, each claiming 65535 bytes, would cost thousands."""


@dataclass(frozen=True, slots=True)
class FileContents:
    """What a file holds of a stream.

    Fields:
        header: of the stream.
        segments: id and payload of each intact segment, in the file's order, each id once.
        missing: how many of the stream's segments are not among them.
        damaged: number of stretches that hold no record; a record cut by the end of the file is not one.
        about: what the file says of the photo.
    """

    header: StreamHeader
    segments: tuple[tuple[int, bytes], ...]
    missing: int
    damaged: int
    about: About = field(default_factory=About)

    @property
    def complete(self) -> bool:
        return self.missing == 0


def stream_to_bytes(stream: LayeredStream, about: About | None = None) -> bytes:
    """The content of the stream's file, with what is said of the photo behind the first segment; raises UsageError for
    a segment that no record can hold."""
    head = _head_to_bytes(stream.header)
    for segment in stream.segments:
        if segment.payload.startswith(ABOUT_MARK):
            raise UsageError(f"segment {segment.id} fits no file: it begins like what a file says of its photo")
    records = [_record_to_bytes(segment, seed=_seed(head)) for segment in stream.segments]
    if records and about is not None:
        records.insert(1, _record_to_bytes(_about_segment(stream.segments[0].id, about), seed=_seed(head)))
    return head + b"".join(records)


def about_size(about: About | None) -> int:
    """Bytes that what is said of a photo takes in its file."""
    return 0 if about is None else _record_size(_about_segment(1, about))


def write_stream(path: Path | str, stream: LayeredStream) -> None:
    """Writes the stream's file, whole or not at all; raises UsageError if unwritable, RunError if the disk is full."""
    write_atomically(Path(path), stream_to_bytes(stream))


def read_stream(data: bytes) -> FileContents:
    """What a file's content holds, in time linear in its length; the file may be cut or damaged after its header.

    Raises BitstreamError if the header is cut, damaged, or of another format or version.
    """
    header, start = _read_head(data)
    segments: dict[int, bytes] = {}
    damaged, end_of_last, about = 0, start, About()
    for position, segment_id, payload in _intact_records(data, start):
        damaged += position > end_of_last
        end_of_last = position + RECORD_OVERHEAD + len(payload)
        if payload.startswith(ABOUT_MARK):
            about = _about(payload)
        else:
            segments.setdefault(segment_id, payload)
    damaged += not _is_cut_record(data, end_of_last)
    missing = max(0, header.segment_count - len(segments))
    return FileContents(header, tuple(segments.items()), missing, damaged, about)


def file_size(stream: LayeredStream) -> int:
    """Bytes of the stream's file."""
    return _head_size(stream.header) + sum(_record_size(segment) for segment in stream.segments)


def payload_within(size_bytes: int, max_payload: int) -> int:
    """About the largest stream (`LayeredStream.size`), of segments of `max_payload` bytes, for a file of this size."""
    room = max(0, size_bytes - _HEAD.size - _CHECKSUM.size)
    return room * max_payload // (max_payload + RECORD_OVERHEAD)


def cut(stream: LayeredStream, size_bytes: int) -> LayeredStream:
    """What of the stream makes a file of at most this size: segments in the sender's order as long as they fit, then
    any later ones that still do and need no other.

    Raises UsageError if not even the header fits.
    """
    size = _head_size(stream.header)
    if size > size_bytes:
        raise UsageError(f"no file of this photo fits {size_bytes} bytes: its header alone takes {size}")
    kept: list[Segment] = []
    ids: set[int] = set()
    for segment in stream.segments:
        if size + _record_size(segment) <= size_bytes and ids.issuperset(segment.depends_on):
            size += _record_size(segment)
            kept.append(segment)
            ids.add(segment.id)
    return stream.keep(kept)


def _about_segment(segment_id: int, about: About) -> Segment:
    """In the place of a segment that has come already: readers that do not know it pass over it."""
    return Segment(segment_id, 0, (), ABOUT_MARK + about.to_bytes())


def _about(payload: bytes) -> About:
    try:
        return About.from_bytes(payload[len(ABOUT_MARK) :])
    except WireError:
        return About()


def _head_size(header: StreamHeader) -> int:
    return _HEAD.size + len(header.to_bytes()) + _CHECKSUM.size


def _record_size(segment: Segment) -> int:
    return RECORD_OVERHEAD + len(segment.payload)


def _head_to_bytes(header: StreamHeader) -> bytes:
    coded = header.to_bytes()
    head = _HEAD.pack(MAGIC, VERSION, len(coded)) + coded
    return head + _CHECKSUM.pack(google_crc32c.value(head))


def _seed(head: bytes) -> int:
    """Every record's checksum goes on from that of the file header, so that no record fits another photo's file."""
    return int(google_crc32c.value(head[-_CHECKSUM.size :]))


def _record_to_bytes(segment: Segment, *, seed: int) -> bytes:
    if not 1 <= segment.id <= 0xFFFF or len(segment.payload) > 0xFFFF:
        raise UsageError(f"segment {segment.id} of {len(segment.payload)} bytes fits no file: both end at 65535")
    record = _RECORD.pack(SYNC, segment.id, len(segment.payload)) + segment.payload
    return record + _CHECKSUM.pack(google_crc32c.extend(seed, record[len(SYNC) :]))


def _read_head(data: bytes) -> tuple[StreamHeader, int]:
    """The stream header, and where the records start."""
    if data[: len(MAGIC)] != MAGIC[: len(data)] or not data:
        raise BitstreamError("not a .prog file: it does not start with the magic number")
    if len(data) < _HEAD.size:
        raise BitstreamError(f"the file is cut inside its header, after {len(data)} bytes")
    _, version, length = _HEAD.unpack_from(data)
    if version != VERSION:
        raise BitstreamError(f"the file is of format version {version}, this program reads version {VERSION}")
    end = _HEAD.size + length
    if len(data) < end + _CHECKSUM.size:
        raise BitstreamError(f"the file is cut inside its header, after {len(data)} bytes")
    if _CHECKSUM.unpack_from(data, end) != (google_crc32c.value(data[:end]),):
        raise BitstreamError("the file's header is damaged: its checksum does not fit")
    return StreamHeader.from_bytes(data[_HEAD.size : end]), end + _CHECKSUM.size


def _intact_records(data: bytes, start: int) -> Iterator[tuple[int, int, bytes]]:
    """Position, segment id and payload of each record whose checksum fits; after one that does not, the search goes
    on at the next sync marker."""
    seed = _seed(data[:start])
    wasted = 0
    position = data.find(SYNC, start)
    while 0 <= position <= len(data) - _RECORD.size and wasted <= _WASTED_CHECKS * len(data):
        _, segment_id, length = _RECORD.unpack_from(data, position)
        end = position + _RECORD.size + length
        after = position + len(SYNC)
        if segment_id and end + _CHECKSUM.size <= len(data):
            checked = data[position + len(SYNC) : end]
            if _CHECKSUM.unpack_from(data, end) == (google_crc32c.extend(seed, checked),):
                yield position, segment_id, data[position + _RECORD.size : end]
                after = end + _CHECKSUM.size
            else:
                wasted += length
        position = data.find(SYNC, after)


def _is_cut_record(data: bytes, position: int) -> bool:
    """Whether what is left from here on is nothing, or a record that the end of the file cuts."""
    rest = len(data) - position
    if rest < _RECORD.size:
        return data[position : position + len(SYNC)] == SYNC[:rest]
    sync, _, length = _RECORD.unpack_from(data, position)
    return bool(sync == SYNC) and rest < RECORD_OVERHEAD + length

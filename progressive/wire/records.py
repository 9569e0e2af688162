"""What the payload of a source packet holds: records of (id, length, bytes), so that small segments share a packet.

Record id 0 is the stream header, any other id is that segment. The records end with the payload or at zero padding,
which erasure decoding leaves behind a source that was shorter than the longest of its block.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from progressive.errors import WireError

HEADER_ID = 0
_PREFIX = struct.Struct("!HH")
RECORD_OVERHEAD = _PREFIX.size


@dataclass(frozen=True, slots=True)
class Record:
    """One segment, or the stream header when `id` is `HEADER_ID`.

    Fields:
        id: 0..65535.
        data: at most 65535 bytes; at least one if `id` is `HEADER_ID`.
    """

    id: int
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that the record takes in a payload."""
        return RECORD_OVERHEAD + len(self.data)


def write_records(records: Iterable[Record]) -> bytes:
    return b"".join(_PREFIX.pack(record.id, len(record.data)) + record.data for record in records)


def parse_records(payload: bytes) -> list[Record]:
    """Parses all records of a source payload; raises WireError if one is cut short or padding is not zero."""
    records = []
    position = 0
    while len(payload) - position >= RECORD_OVERHEAD:
        identifier, length = _PREFIX.unpack_from(payload, position)
        if identifier == HEADER_ID and not length:
            break
        position += RECORD_OVERHEAD
        if length > len(payload) - position:
            raise WireError(f"record {identifier} promises {length} bytes, {len(payload) - position} are left")
        records.append(Record(identifier, payload[position : position + length]))
        position += length
    if payload.count(0, position) != len(payload) - position:
        raise WireError("bytes after the last record are neither a record nor zero padding")
    return records

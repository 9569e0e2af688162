"""Records in few bytes, as short packets hold them; a segment that does not fit a packet comes in parts.

A record is its id and twice its length, both as `varint`; an odd length says that this is a part of a segment, whose
number and how many there are follow in a byte. Id 0 is padding: from there on everything is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from progressive.errors import WireError
from progressive.wire.records import Record
from progressive.wire.varint import read_varint, varint

MAX_PARTS = 16
SHORT_RECORD_OVERHEAD = 4
"""Bytes of a record beside its data, at most, of whole segments in packets below 8 kB: an id takes two, mostly."""

PART_OVERHEAD = SHORT_RECORD_OVERHEAD + 1


@dataclass(frozen=True, slots=True)
class Part(Record):
    """One of several records that a segment is in. Fields: number: from 0; of: how many there are, 2 or more."""

    number: int = 0
    of: int = 1


def in_parts(segment_id: int, payload: bytes, payload_size: int) -> list[Record]:
    """A segment as records that each fit a packet: one, or the fewest parts, of about equal sizes."""
    whole = Record(segment_id, payload)
    if short_size(whole) <= payload_size:
        return [whole]
    count = -(-len(payload) // (payload_size - PART_OVERHEAD))
    size = -(-len(payload) // count)
    return [Part(segment_id, payload[i * size : (i + 1) * size], i, count) for i in range(count)]


def largest_in_parts(payload_size: int) -> int:
    """Bytes of the longest segment that parts can hold."""
    return MAX_PARTS * (payload_size - PART_OVERHEAD)


def short_size(record: Record) -> int:
    """Bytes that a record takes in a payload."""
    return len(_prefix(record)) + len(record.data)


def write_short_records(records: Iterable[Record]) -> bytes:
    return b"".join(_prefix(record) + record.data for record in records)


def parse_short_records(payload: bytes) -> Sequence[Record]:
    """Parses all records of a source payload; raises WireError if one is cut short or padding is not zero."""
    records: list[Record] = []
    position = 0
    while position < len(payload) and payload[position]:
        segment_id, position = read_varint(payload, position)
        length, position = read_varint(payload, position)
        number, of = 0, 1
        if length & 1:
            if position >= len(payload):
                raise WireError("a part is cut short")
            number, of = payload[position] >> 4, (payload[position] & 15) + 1
            position += 1
        end = position + (length >> 1)
        if segment_id > 0xFFFF or end > len(payload) or number >= of or (length & 1 and of < 2):
            raise WireError(f"record {segment_id} of {length >> 1} bytes, {len(payload) - position} are left")
        data = payload[position:end]
        records.append(Part(segment_id, data, number, of) if of > 1 else Record(segment_id, data))
        position = end
    if payload.count(0, position) != len(payload) - position:
        raise WireError("bytes after the last record are not zero padding")
    return records


def _prefix(record: Record) -> bytes:
    length = varint(2 * len(record.data) + isinstance(record, Part))
    part = bytes([record.number << 4 | record.of - 1]) if isinstance(record, Part) else b""
    return varint(record.id) + length + part

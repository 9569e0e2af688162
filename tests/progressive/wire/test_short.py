"""Datagrams in the short form: what a manifest has told is left out, and put back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.control import Ask, Busy, End, Report, parse_message
from progressive.wire.envelope import PlainEnvelope
from progressive.wire.manifest import MAX_BLOCKS, SMALLEST_PAYLOAD, Manifest, Piece, header_manifests, parse_manifest
from progressive.wire.packet import MAX_INDEX, Kind, Packet
from progressive.wire.records import Record
from progressive.wire.short import MANIFEST_OVERHEAD, SHORT_END, SHORT_OVERHEAD, ShortForm, UnknownStream
from progressive.wire.short_records import (
    MAX_PARTS,
    Part,
    in_parts,
    largest_in_parts,
    parse_short_records,
    short_size,
    write_short_records,
)

STREAM = 0x12345678
SOURCES = (32, 3, 32, 7)
MANIFEST = Manifest(header=Piece(0, 1, b"header"), sources=SOURCES, base_blocks=2)
TOLD = Packet(Kind.MANIFEST, STREAM, 0, MANIFEST.to_bytes(), short=True)
REPORT = Report(
    stream=STREAM,
    received=90,
    expected=120,
    loss=0.25,
    burst=1.5,
    segments=70,
    complete=False,
    ended=True,
    receiver=0xFFFFFFFF,
    burst_s=2.125,
    layers=2,
    latest=130,
    recent=bytes([0x81]) * 32,
)


def data(sequence: int, block: int = 1, index: int = 2) -> Packet:
    return Packet(Kind.DATA, STREAM, sequence, b"payload", block, index, SOURCES[block], MAX_INDEX, short=True)


def ends() -> tuple[ShortForm, ShortForm]:
    """Two ends that know the stream."""
    here, there = ShortForm(), ShortForm()
    there.read(here.write(TOLD))
    return here, there


def test_bytes_are_those_of_the_format() -> None:
    here = ShortForm()
    manifest = replace(TOLD, payload=Manifest(sources=(2, 2, 1), base_blocks=1).to_bytes())
    assert here.write(manifest)[:-2].hex() == "24" + "12345678" + "00000000" + "0305" + "01" + "0202" + "0101"
    datagram = here.write(data(0x01020304))
    assert datagram[:-2].hex() == "20" + "78" + "0304" + "01" + "02" + b"payload".hex()
    assert len(datagram) == SHORT_OVERHEAD + 7 == 8 + 7
    end = Packet(Kind.CONTROL, STREAM, 5, End(stream=STREAM, more=True).to_bytes(), short=True)
    assert here.write(end)[:-2].hex() == "21" + "78" + "0005" + "01"
    assert len(here.write(end)) == SHORT_END


@given(st.lists(st.integers(-1000, 20_000), max_size=20))
def test_packets_come_back_whatever_is_lost_between_them(steps: list[int]) -> None:
    here, there = ends()
    sequence = 0
    for step in steps:
        sequence = max(0, sequence + step)
        assert there.read(here.write(data(sequence))) == data(sequence)
        sequence = max(sequence, 0)


def test_who_comes_late_reads_on_from_any_manifest() -> None:
    here, _ = ends()
    late = ShortForm()
    with pytest.raises(UnknownStream):
        late.read(here.write(data(200_000)))
    assert late.read(here.write(replace(TOLD, sequence=200_001))).sequence == 200_001
    assert late.read(here.write(data(200_002))).sequence == 200_002
    assert late.read(here.write(data(199_999))).sequence == 199_999


def test_a_packet_of_another_stream_with_the_same_last_byte_is_not_taken_for_one_of_this() -> None:
    _, there = ends()
    other = ShortForm()
    other.write(replace(TOLD, stream=STREAM ^ 0x100))
    with pytest.raises(UnknownStream):
        there.read(other.write(replace(data(1), stream=STREAM ^ 0x100)))


@pytest.mark.parametrize(
    "message",
    [
        End(stream=STREAM, more=False, repeats=True),
        Ask(stream=STREAM),
        Busy(stream=STREAM),
        REPORT,
        REPORT.model_copy(update={"arrived_ms": 0xFFFFFFFF, "held_ms": 0}),
    ],
)
def test_messages_come_back(message: End | Ask | Busy | Report) -> None:
    kind = Kind.CONTROL if isinstance(message, End | Ask) else Kind.FEEDBACK
    here, there = ends()
    datagram = here.write(Packet(kind, STREAM, 3, message.to_bytes(), short=True))
    assert len(datagram) <= 47
    found = parse_message(there.read(datagram).payload)
    if isinstance(message, Report):
        assert isinstance(found, Report)
        assert message.recent.startswith(found.recent)
        assert len(found.recent) >= 16
        found = replace_recent(found, message.recent)
    assert found == message


def replace_recent(report: Report, recent: bytes) -> Report:
    return report.model_copy(update={"recent": recent})


def test_an_end_without_the_key_of_sealing_reads_both_forms() -> None:
    """A receiver need not be told which form comes."""
    sender, receiver = PlainEnvelope(inner_parity=8), PlainEnvelope(inner_parity=8)
    for packet in (TOLD, data(1), replace(data(2), short=False, n=40), data(3)):
        assert receiver.unwrap(sender.wrap(packet)) == packet
    damaged = bytearray(sender.wrap(data(4)))
    damaged[0] ^= 0x30
    damaged[9] ^= 0x55
    assert receiver.unwrap(bytes(damaged)) == data(4)


@given(st.binary(max_size=70), st.integers(0, 4))
def test_bytes_are_a_packet_or_a_wire_error(data: bytes, kind: int) -> None:
    _, there = ends()
    for datagram in (data, bytes([0x20 | kind]) + data):
        try:
            packet = there.read(datagram)
        except WireError:
            continue
        assert packet.short


@given(st.binary(min_size=16, max_size=283), st.integers(1, 64), st.integers(SMALLEST_PAYLOAD, 400), st.randoms())
def test_manifests_tell_any_header_in_packets_of_any_size(header: bytes, k: int, room: int, random: object) -> None:
    sources = tuple((k + i) % 64 + 1 if i < 9 else k for i in range(MAX_BLOCKS))
    told = [parse_manifest(m.to_bytes()) for m in header_manifests(header, sources, 2, room)]
    assert max(len(m.to_bytes()) for m in told) <= room
    assert [m.sources for m in told if m.sources] == [sources]
    assert told[0].base_blocks == 2
    assert b"".join(m.header.data for m in told if m.header is not None) == header


def test_what_short_packets_need_takes_one_packet_of_51_bytes() -> None:
    (told,) = header_manifests(bytes(19), (32, 3, *(32,) * 20, 5), 2, 51 - MANIFEST_OVERHEAD)
    assert told.header == Piece(0, 1, bytes(19))


@given(st.lists(st.tuples(st.integers(1, 0xFFFF), st.binary(max_size=300)), max_size=8), st.integers(32, 200))
def test_records_come_back_in_parts_that_fit(segments: list[tuple[int, bytes]], room: int) -> None:
    for number, payload in segments:
        records = in_parts(number, payload[: largest_in_parts(room)], room)
        assert len(records) <= MAX_PARTS
        assert max(map(short_size, records)) <= room
        assert b"".join(record.data for record in records) == payload[: largest_in_parts(room)]
    records = [Record(number, payload) for number, payload in segments] + [Part(7, b"abc", 2, 3)]
    assert parse_short_records(write_short_records(records) + bytes(5)) == records


@given(st.binary(max_size=60))
def test_bytes_are_records_or_a_wire_error(payload: bytes) -> None:
    try:
        records = parse_short_records(payload)
    except WireError:
        return
    assert sum(len(record.data) for record in records) <= len(payload)

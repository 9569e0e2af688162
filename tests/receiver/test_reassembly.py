import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import WireError
from progressive.wire.fec import BlockEncoder
from progressive.wire.packet import Kind, Packet
from progressive.wire.records import HEADER_ID, Record, write_records
from receiver.reassembly import Reassembler
from receiver.settings import ReceiverSettings

SETTINGS = ReceiverSettings()
STREAM = make_stream(base=3, enhance=7, payload=(10, 60))
PAYLOADS = {segment.id: segment.payload for segment in STREAM.segments}
HEADER_RECORD = Record(HEADER_ID, STREAM.header.to_bytes())


def packets_of(stream, per_packet=1):
    """Two blocks, base and enhance, with as many parity packets as sources."""
    records = [Record(segment.id, segment.payload) for segment in stream.segments]
    base = [write_records([HEADER_RECORD, record]) for record in records[:3]]
    enhance = [write_records(records[i : i + per_packet]) for i in range(3, len(records), per_packet)]
    packets = []
    for block, sources in enumerate((base, enhance)):
        encoder = BlockEncoder(sources)
        packets += [data_packet(block, index, encoder.k, encoder.payload(index)) for index in range(2 * encoder.k)]
    return packets


def data_packet(block, index, k, payload):
    return Packet(Kind.DATA, 1, 0, payload, block, index, k, n=max(k, min(2 * k, 255)))


PACKETS = packets_of(STREAM)


@given(st.lists(st.sampled_from(PACKETS), max_size=60))
def test_any_arrivals_give_right_segments_once_each_and_all_that_can_be_known(arrivals):
    reassembler = Reassembler(SETTINGS)
    handed_out = []
    for packet in arrivals:
        handed_out += reassembler.add(packet)
    assert len({a.segment_id for a in handed_out}) == len(handed_out)
    assert all(PAYLOADS[a.segment_id] == a.payload for a in handed_out)

    indices = {block: {p.index for p in arrivals if p.block == block} for block in (0, 1)}
    whole = {block: len(indices[block]) >= k for block, k in ((0, 3), (1, 7))}
    header_known = whole[0] or any(index < 3 for index in indices[0])
    known = {1 + i for i in range(3) if whole[0] or i in indices[0]}
    known |= {4 + i for i in range(7) if whole[1] or i in indices[1]}
    assert {a.segment_id for a in handed_out} == (known if header_known else set())
    assert reassembler.complete == all(whole.values())


def test_segments_wait_for_the_header():
    reassembler = Reassembler(SETTINGS)
    enhance, base = PACKETS[6], PACKETS[0]
    assert reassembler.add(enhance) == []
    assert [a.segment_id for a in reassembler.add(base)] == [4, 1]


def test_restored_segments_are_marked_and_counted():
    reassembler = Reassembler(SETTINGS)
    arrivals = [a for packet in (PACKETS[0], PACKETS[3], PACKETS[4]) for a in reassembler.add(packet)]
    assert [(a.segment_id, a.recovered) for a in arrivals] == [(1, False), (2, True), (3, True)]
    assert reassembler.recovered == 2


def test_another_k_for_the_same_block_is_refused():
    reassembler = Reassembler(SETTINGS)
    reassembler.add(PACKETS[0])
    with pytest.raises(WireError, match="had 3 source packets, now 4"):
        reassembler.add(data_packet(0, 1, 4, PACKETS[1].payload))


@pytest.mark.parametrize("payload", [b"\x00\x01\x00\xff", b"\x00\x00\x00\x02ab"])
def test_a_source_of_nonsense_is_refused_and_does_not_spoil_its_block(payload):
    reassembler = Reassembler(SETTINGS)
    with pytest.raises(WireError):
        reassembler.add(data_packet(0, 0, 3, payload))
    for packet in PACKETS[:3]:
        reassembler.add(packet)
    assert reassembler.segment_count == 3


def test_parity_of_nonsense_yields_nothing():
    encoder = BlockEncoder([b"\xff" * 9, write_records([HEADER_RECORD])])
    reassembler = Reassembler(SETTINGS)
    assert [a for index in (2, 3) for a in reassembler.add(data_packet(0, index, 2, encoder.payload(index)))] == []
    assert reassembler.header == STREAM.header
    assert reassembler.recovered == 1


def test_no_more_segments_than_the_header_announces():
    reassembler = Reassembler(SETTINGS)
    extra = [Record(identifier, b"x") for identifier in range(100, 120)]
    handed_out = reassembler.add(data_packet(7, 0, 9, write_records(extra)))
    handed_out += reassembler.add(PACKETS[0])
    handed_out += reassembler.add(data_packet(7, 1, 9, write_records([Record(200, b"x")])))
    assert len(handed_out) == reassembler.segment_count == STREAM.header.segment_count


def test_memory_held_is_bounded_and_sources_still_count_when_it_is_full():
    reassembler = Reassembler(ReceiverSettings(max_held_bytes=5000))
    reassembler.add(PACKETS[0])
    rng = random.Random(0)
    for block in range(1, 60):
        reassembler.add(data_packet(block, 200, 40, rng.randbytes(1000)))
        assert reassembler.held_bytes <= 5000
    assert [a.segment_id for a in reassembler.add(data_packet(60, 0, 9, write_records([Record(9, b"nine")])))] == [9]


def test_segments_that_wait_for_the_header_are_bounded():
    reassembler = Reassembler(ReceiverSettings(max_held_bytes=5000))
    for identifier in range(1, 60):
        reassembler.add(data_packet(identifier, 0, 1, write_records([Record(identifier, bytes(500))])))
    assert reassembler.held_bytes <= 5000


def test_blocks_are_bounded():
    reassembler = Reassembler(ReceiverSettings(max_blocks=10))
    for block in range(10):
        reassembler.add(data_packet(block, 9, 5, b"parity"))
    with pytest.raises(WireError, match="more than 10 blocks"):
        reassembler.add(data_packet(10, 9, 5, b"parity"))

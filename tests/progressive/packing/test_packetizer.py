import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from streams import make_stream

from progressive.errors import UsageError
from progressive.packing.packetizer import (
    HEADER_ALLOWANCE,
    MAX_BLOCK_SOURCES,
    first_tier,
    max_segment_payload,
    packetize,
)
from progressive.stream import Segment, StreamHeader
from progressive.wire.packet import OVERHEAD
from progressive.wire.records import HEADER_ID, RECORD_OVERHEAD, Record, parse_records

HEADER = StreamHeader(1, bytes(8), 64, 48, 3, b"abc")


@given(st.integers(0, 12), st.integers(0, 200), st.integers(160, 1100), st.integers(0, 1000))
def test_segments_are_packed_in_order_into_packets_that_fit(base, enhance, packet_size, seed):
    stream = make_stream(base=base, enhance=enhance, payload=(1, max_segment_payload(packet_size)), seed=seed)
    blocks = packetize(stream.header, stream.segments, packet_size - OVERHEAD)
    packets = [packet for block in blocks for packet in block.packets]
    assert all(len(packet.payload) == packet.payload_size <= packet_size - OVERHEAD for packet in packets)
    records = [record for packet in packets for record in parse_records(packet.payload) if record.id != HEADER_ID]
    assert records == [Record(segment.id, segment.payload) for segment in stream.segments]
    assert all(len(block.packets) <= MAX_BLOCK_SOURCES for block in blocks)
    assert [block.layer for block in blocks] == sorted(block.layer for block in blocks)


def test_the_header_is_in_every_packet_of_the_base_and_in_no_other():
    stream = make_stream(base=6, enhance=20)
    for block in packetize(stream.header, stream.segments, 1079):
        for packet in block.packets:
            assert (packet.records[0] == Record(HEADER_ID, stream.header.to_bytes())) == (block.layer == 0)


def test_a_long_header_gets_a_packet_of_its_own():
    header = StreamHeader(1, bytes(8), 64, 48, 1, bytes(255))
    block, *_ = packetize(header, [Segment(1, 0, (), bytes(280))], 300)
    assert [[record.id for record in packet.records] for packet in block.packets] == [[HEADER_ID], [1]]


def test_a_stream_without_segments_is_its_header():
    blocks = packetize(HEADER, [], 1000)
    assert [[packet.payload for packet in block.packets] for block in blocks] == [[b"\0\0\0\x13" + HEADER.to_bytes()]]


def test_small_segments_share_a_packet():
    segments = [Segment(i, 1, (), bytes(96)) for i in range(1, 11)]
    packets = packetize(HEADER, segments, 1000)[1].packets
    assert [packet.segments for packet in packets] == [tuple(range(1, 11))]


def test_tiers_grow_so_that_the_early_ones_are_restored_early():
    stream = make_stream(base=1, enhance=100, payload=(900, 900))
    blocks = packetize(stream.header, stream.segments, 1000)
    assert [(block.layer, len(block.packets)) for block in blocks] == [
        (0, 1),
        (1, 8),
        (2, 16),
        (3, 32),
        (4, 32),
        (5, 12),
    ]


@given(st.integers(0, 60), st.integers(0, 100))
def test_a_stream_cut_short_packs_into_the_same_packets(kept, seed):
    stream = make_stream(base=3, enhance=57, payload=(50, 400), seed=seed)
    whole = [packet.records for block in packetize(stream.header, stream.segments, 500) for packet in block.packets]
    part = [
        packet.records for block in packetize(stream.header, stream.segments[:kept], 500) for packet in block.packets
    ]
    assert part[:-1] == whole[: len(part) - 1]


@pytest.mark.parametrize(("payload_size", "first"), [(1400, 8), (1079, 8), (529, 16), (200, 32)])
def test_of_small_packets_the_first_tier_has_more(payload_size, first):
    assert first_tier(payload_size) == first
    segments = [Segment(1, 0, (), bytes(50)), *(Segment(i, 1, (), bytes(payload_size // 2 + 1)) for i in range(2, 60))]
    blocks = packetize(HEADER, segments, payload_size)
    assert len(blocks[1].packets) == first


def test_segments_that_fit_no_packet_are_refused_with_the_limit():
    with pytest.raises(UsageError, match="at most 96 bytes"):
        packetize(HEADER, [Segment(1, 1, (), bytes(97))], 100)


@example(packet_size=141, inner_parity=69, parameters=32)
@given(packet_size=st.integers(141, 1472), inner_parity=st.integers(0, 300), parameters=st.integers(0, 32))
def test_the_promised_payload_fits_beside_a_header(packet_size, inner_parity, parameters):
    try:
        limit = max_segment_payload(packet_size, inner_parity)
    except UsageError:
        assert packet_size - inner_parity < 200
        return
    header = StreamHeader(1, bytes(8), 64, 48, 1, bytes(parameters))
    segment = Segment(1, 0, (), random.Random(0).randbytes(limit))
    payload_size = packet_size - inner_parity - OVERHEAD
    if len(header.to_bytes()) + RECORD_OVERHEAD > payload_size:
        with pytest.raises(UsageError, match="does not fit a packet: use larger packets"):
            packetize(header, [segment], payload_size)
        return
    (block,) = packetize(header, [segment], payload_size)
    assert len(block.packets) == 1 or len(header.to_bytes()) > HEADER_ALLOWANCE
    assert {record.id for packet in block.packets for record in packet.records} == {0, 1}

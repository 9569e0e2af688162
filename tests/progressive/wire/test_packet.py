import struct

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.packet import (
    FLAG_SEALED,
    HEADER_SIZE,
    MAX_DATAGRAM,
    MAX_SOURCES,
    OVERHEAD,
    SALT_SIZE,
    TAG_SIZE,
    Kind,
    Packet,
    is_packet,
    parse_packet,
)

U32 = st.integers(0, 2**32 - 1)
PAYLOADS = st.binary(max_size=200) | st.integers(0, MAX_DATAGRAM - OVERHEAD).map(bytes)


@st.composite
def packets(draw):
    kind = draw(st.sampled_from(Kind))
    place = {}
    if kind is Kind.DATA:
        k = draw(st.integers(1, MAX_SOURCES))
        place = {
            "block": draw(st.integers(0, 0xFFFF)),
            "index": draw(st.integers(0, 255)),
            "k": k,
            "n": draw(st.integers(k, 255)),
        }
    return Packet(kind, draw(U32), draw(U32), draw(PAYLOADS), **place)


def with_checksum(body):
    return body + struct.pack("!I", google_crc32c.value(body))


def data_packet(**changes):
    fields = {"kind": Kind.DATA, "stream": 1, "sequence": 2, "payload": b"abc", "block": 3, "index": 4, "k": 5, "n": 6}
    return Packet(**fields | changes)


@given(packets())
def test_every_packet_comes_back(packet):
    datagram = packet.to_bytes()
    assert len(datagram) == OVERHEAD + len(packet.payload)
    assert parse_packet(datagram) == packet


def test_bytes_are_those_of_the_format():
    packet = Packet(Kind.DATA, 0x01020304, 0x05060708, b"hi", block=0x090A, index=11, k=12, n=13)
    assert packet.to_bytes().hex() == "10000102030405060708090a0b0c0d0002" + "6869" + "5272d5bd"


def test_overhead_is_small():
    assert OVERHEAD <= 22


@given(packets())
def test_truncated_or_extended_packets_are_refused(packet):
    datagram = packet.to_bytes()
    for cut in range(min(len(datagram), 60)):
        assert not is_packet(datagram[:cut])
    assert not is_packet(datagram[:-1])
    assert not is_packet(datagram + b"\0")
    assert not is_packet(datagram + datagram)


@given(packets(), st.data())
def test_any_flipped_bit_is_noticed(packet, data):
    datagram = bytearray(packet.to_bytes())
    bit = data.draw(st.integers(0, 8 * len(datagram) - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    assert not is_packet(bytes(datagram))


@given(st.binary(max_size=80))
def test_noise_is_refused_with_the_wire_error(noise):
    with pytest.raises(WireError):
        parse_packet(noise)


@given(st.binary(min_size=HEADER_SIZE, max_size=40))
def test_nonsense_with_a_good_checksum_parses_or_is_refused(body):
    try:
        packet = parse_packet(with_checksum(body))
    except WireError:
        return
    assert packet.to_bytes() == with_checksum(body)


@pytest.mark.parametrize("changes", [{"k": 0}, {"k": MAX_SOURCES + 1, "n": 255}, {"k": 7, "n": 6}])
def test_impossible_blocks_are_refused(changes):
    with pytest.raises(WireError, match="impossible block"):
        parse_packet(data_packet(**changes).to_bytes())


def test_index_may_pass_n_because_n_may_change():
    assert parse_packet(data_packet(index=255).to_bytes()).index == 255


def test_control_packets_have_no_place_in_a_block():
    with pytest.raises(WireError, match="place"):
        parse_packet(data_packet(kind=Kind.CONTROL).to_bytes())


@pytest.mark.parametrize(("offset", "value", "said"), [(0, 0x20, "version 2"), (0, 0x15, "kind 5"), (1, 0x02, "flags")])
def test_what_this_version_does_not_know_is_refused(offset, value, said):
    body = bytearray(data_packet().to_bytes()[:-4])
    body[offset] = value
    with pytest.raises(WireError, match=said):
        parse_packet(with_checksum(bytes(body)))


def test_sealed_packets_are_refused_for_want_of_a_key():
    packet = data_packet()
    sealed = packet.header_bytes(FLAG_SEALED) + bytes(SALT_SIZE) + packet.payload + bytes(TAG_SIZE)
    with pytest.raises(WireError, match="sealed, no key"):
        parse_packet(sealed)


def test_oversized_datagrams_are_refused():
    assert is_packet(data_packet(payload=bytes(MAX_DATAGRAM - OVERHEAD)).to_bytes())
    assert not is_packet(data_packet(payload=bytes(MAX_DATAGRAM - OVERHEAD + 1)).to_bytes())

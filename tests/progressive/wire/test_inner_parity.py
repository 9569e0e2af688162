import random

import pytest
import reedsolo
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.inner_parity import add_inner_parity, correct_datagram
from progressive.wire.packet import MAX_DATAGRAM, OVERHEAD, Kind, Packet, is_packet


def make_packet(payload_size, seed=0):
    return Packet(Kind.DATA, 1, 2, random.Random(seed).randbytes(payload_size), block=0, index=0, k=1, n=1).to_bytes()


@given(st.integers(0, 1200), st.integers(0, 200))
def test_an_undamaged_datagram_gives_its_packet(payload_size, parity):
    packet = make_packet(payload_size)
    datagram = add_inner_parity(packet, parity)
    assert len(datagram) == len(packet) + parity
    assert correct_datagram(datagram, parity) == packet


@given(st.integers(0, 1000), st.integers(2, 120), st.data())
def test_a_run_of_damage_of_up_to_half_the_parity_is_corrected(payload_size, parity, data):
    packet = make_packet(payload_size)
    datagram = bytearray(add_inner_parity(packet, parity))
    codewords = -(-len(datagram) // 255)
    correctable = codewords * (parity // codewords // 2)
    start = data.draw(st.integers(0, len(datagram) - correctable))
    for place in range(start, start + correctable):
        datagram[place] ^= data.draw(st.integers(1, 255))
    assert correct_datagram(bytes(datagram), parity) == packet


def test_one_codeword_is_that_of_the_reference():
    packet = make_packet(50)
    assert add_inner_parity(packet, 10) == bytes(reedsolo.RSCodec(10).encode(packet))


@given(st.binary(max_size=300), st.integers(1, 40))
def test_noise_is_refused_or_gives_bytes_that_are_no_packet(noise, parity):
    try:
        packet = correct_datagram(noise, parity)
    except WireError:
        return
    assert not is_packet(packet)


def test_damage_beyond_the_parity_is_refused():
    datagram = bytearray(add_inner_parity(make_packet(100), 4))
    datagram[10:40] = bytes(30)
    with pytest.raises(WireError, match="beyond"):
        correct_datagram(bytes(datagram), 4)


def test_oversized_datagrams_are_refused_before_any_work():
    with pytest.raises(WireError, match="cannot hold"):
        correct_datagram(bytes(MAX_DATAGRAM + 1), 16)


def test_without_parity_nothing_changes():
    packet = make_packet(5)
    assert add_inner_parity(packet, 0) == packet == correct_datagram(packet, 0)
    assert len(packet) == OVERHEAD + 5

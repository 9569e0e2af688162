import random
from itertools import combinations

import pytest
import reedsolo
import zfec
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire.fec import BlockDecoder, BlockEncoder
from progressive.wire.packet import MAX_SOURCES


def make_sources(k, seed, longest=60):
    rng = random.Random(seed)
    return [rng.randbytes(rng.randint(0, longest)) for _ in range(k)]


def decode(k, packets):
    """All sources that can be known from these packets, as sent or zero-padded."""
    decoder = BlockDecoder(k)
    known = {}
    for index, payload in packets:
        if index < k:
            known[index] = payload
        known.update(decoder.add(index, payload))
    return known


@given(st.integers(1, MAX_SOURCES), st.integers(0, 2**16), st.data())
def test_any_k_packets_restore_the_block(k, seed, data):
    sources = make_sources(k, seed)
    encoder = BlockEncoder(sources)
    indices = data.draw(st.lists(st.integers(0, 255), min_size=k, max_size=k, unique=True))
    known = decode(k, [(i, encoder.payload(i)) for i in indices])
    assert [known[i].rstrip(b"\0") for i in range(k)] == [source.rstrip(b"\0") for source in sources]
    assert all(known[i].startswith(source) for i, source in enumerate(sources))


@given(st.integers(2, 20), st.integers(0, 2**16), st.data())
def test_fewer_than_k_packets_restore_nothing(k, seed, data):
    encoder = BlockEncoder(make_sources(k, seed))
    indices = data.draw(st.lists(st.integers(0, 255), max_size=k - 1, unique=True))
    known = decode(k, [(i, encoder.payload(i)) for i in indices])
    assert sorted(known) == sorted(i for i in indices if i < k)


def test_parity_does_not_depend_on_how_much_of_it_is_made():
    sources = [bytes([i] * 10) for i in range(5)]
    few = zfec.Encoder(5, 7).encode(tuple(sources), (5, 6))
    assert BlockEncoder(sources).payloads([5, 6]) == few


def test_sources_are_sent_as_they_are_and_parity_as_long_as_the_longest():
    encoder = BlockEncoder([b"a", b"bcd", b""])
    assert [encoder.payload(i) for i in range(3)] == [b"a", b"bcd", b""]
    assert len(encoder.payload(3)) == 3


def test_parity_of_a_single_source_repeats_it():
    encoder = BlockEncoder([b"base"])
    assert {encoder.payload(i) for i in range(256)} == {b"base"}


def test_the_reference_code_restores_from_exactly_the_same_erasures():
    """reedsolo across packets, column by column: k of n restore, k - 1 do not, just as in our blocks."""
    k, n = 3, 5
    sources = make_sources(k, seed=1, longest=4)
    padded = [source.ljust(4, b"\0") for source in sources]
    codec = reedsolo.RSCodec(n - k, nsize=n)
    columns = [codec.encode(bytes(source[j] for source in padded)) for j in range(4)]
    encoder = BlockEncoder(padded)
    for count in (k - 1, k):
        for kept in combinations(range(n), count):
            erased = [i for i in range(n) if i not in kept]
            try:
                restored = [codec.decode(column, erase_pos=erased)[0] for column in columns]
            except reedsolo.ReedSolomonError:
                restored = None
            known = decode(k, [(i, encoder.payload(i)) for i in kept])
            assert (restored is not None) == (len(known) == k) == (count == k)
            if restored:
                assert [bytes(column[i] for column in restored) for i in range(k)] == [known[i] for i in range(k)]


def test_repeated_packets_change_nothing():
    encoder = BlockEncoder([b"one", b"two", b"three"])
    decoder = BlockDecoder(3)
    for _ in range(3):
        assert decoder.add(7, encoder.payload(7)) == {}
    assert decoder.held_bytes == 5
    decoder.add(0, b"one")
    assert decoder.add(9, encoder.payload(9)) == {1: b"two\0\0", 2: b"three"}
    assert decoder.complete
    assert decoder.held_bytes == 0
    assert decoder.add(10, encoder.payload(10)) == {}


def test_a_decoder_holds_at_most_k_packets():
    encoder = BlockEncoder([bytes(100)] * 8)
    decoder = BlockDecoder(8)
    held = []
    for index in range(100):
        decoder.add(index, encoder.payload(index))
        held.append(decoder.held_bytes)
    assert max(held) < 800


@pytest.mark.parametrize(
    ("first", "contradiction"),
    [((3, b"12345"), (4, b"123")), ((3, b"123"), (0, b"12345")), ((0, b"12345"), (3, b"123"))],
)
def test_contradicting_lengths_are_refused_and_not_taken(first, contradiction):
    decoder = BlockDecoder(3)
    decoder.add(*first)
    with pytest.raises(WireError):
        decoder.add(*contradiction)
    assert decoder.held_bytes == len(first[1])


@pytest.mark.parametrize("sources", [[], [b""] * (MAX_SOURCES + 1)])
def test_blocks_have_a_bounded_number_of_sources(sources):
    with pytest.raises(ValueError, match="a block has"):
        BlockEncoder(sources)

import random

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from progressive.errors import WireError
from progressive.wire import sealing
from progressive.wire.envelope import PlainEnvelope, Replayed, SealMismatch
from progressive.wire.packet import MAX_DATAGRAM, SEALED_OVERHEAD, Kind, Packet, sealed_at
from progressive.wire.sealing import (
    CLOCK_STEP_S,
    MAX_AGE_S,
    MISMATCH_AFTER,
    REPLAY_WINDOW,
    RESEAL_S,
    ReplayWindow,
    SealedEnvelope,
)

KEY = bytes(range(32))
NOW = 1.8e9


def seeded_salts(seed=0):
    return random.Random(seed).randbytes


def envelope(key=KEY, *, seed=0, inner_parity=0, clock=lambda: NOW):
    return SealedEnvelope(key, inner_parity, draw_salt=seeded_salts(seed), clock=clock)


def packet(sequence=2, *, kind=Kind.DATA, stream=1, payload=b"payload", **place):
    if kind is Kind.DATA:
        place = {"block": 3, "index": 4, "k": 5, "n": 6} | place
    return Packet(kind, stream, sequence, payload, **place)


def salt_of(datagram):
    return datagram[17:29]


@settings(deadline=None)  # the first cipher is slow to load
@given(st.sampled_from(Kind), st.binary(max_size=MAX_DATAGRAM - SEALED_OVERHEAD - 8), st.integers(0, 2**32 - 1))
def test_what_one_end_seals_the_other_opens(kind, payload, sequence):
    sent = packet(sequence, kind=kind, payload=payload)
    datagram = envelope().wrap(sent)
    assert len(datagram) == SEALED_OVERHEAD + len(payload)
    assert envelope(seed=1).unwrap(datagram) == sent


def test_bytes_are_those_of_the_format():
    sent = packet(0x05060708, stream=0x01020304, payload=b"hi")
    salt = bytes.fromhex("65920080") + bytes(range(100, 108))
    datagram = SealedEnvelope(KEY, draw_salt=lambda size: salt[4 : 4 + size], clock=lambda: 0x65920080).wrap(sent)
    header = bytes.fromhex("1001" + "01020304" + "05060708" + "0003" + "04" + "05" + "06" + "0002")
    key = HKDF(SHA256(), 32, salt, b"progressive sealing 2 sender").derive(KEY)
    nonce = bytes.fromhex("00" + "000000" + "01020304" + "05060708")
    assert datagram == header + salt + ChaCha20Poly1305(key).encrypt(nonce, b"hi", header + salt)


@settings(deadline=None)
@given(st.data())
def test_any_flipped_bit_is_noticed(data):
    datagram = bytearray(envelope().wrap(packet()))
    bit = data.draw(st.integers(0, 8 * len(datagram) - 1))
    datagram[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        envelope().unwrap(bytes(datagram))


def test_a_datagram_is_taken_once_whatever_came_in_between():
    sender, receiver = envelope(), envelope()
    datagrams = [sender.wrap(packet(sequence)) for sequence in range(REPLAY_WINDOW + 10)]
    for datagram in (datagrams[5], datagrams[0], datagrams[9]):
        receiver.unwrap(datagram)
        with pytest.raises(Replayed):
            receiver.unwrap(datagram)
    receiver.unwrap(datagrams[-1])
    for old in datagrams[:10]:
        with pytest.raises(Replayed):
            receiver.unwrap(old)
    receiver.unwrap(datagrams[10])


@given(st.lists(st.integers(0, 3000), max_size=60))
def test_the_window_takes_each_recent_number_once(numbers):
    window, taken, highest = ReplayWindow(), set(), -1
    for number in numbers:
        fresh = number not in taken and number > highest - REPLAY_WINDOW
        try:
            window.take(number)
            assert fresh
        except Replayed:
            assert not fresh
        taken.add(number)
        highest = max(highest, number)


def test_no_key_and_nonce_are_used_twice():
    """Streams, ends, and runs of the program have salts of their own; so has what would repeat a sequence number."""
    sender, receiver = envelope(seed=1), envelope(seed=2)
    sealed = [
        sender.wrap(packet(0)),
        sender.wrap(packet(0)),
        sender.wrap(packet(0, stream=2)),
        receiver.wrap(packet(0, kind=Kind.FEEDBACK)),
        envelope(seed=3).wrap(packet(0)),
    ]
    assert len({salt_of(datagram) for datagram in sealed}) == len(sealed)
    assert salt_of(sender.wrap(packet(1, stream=2))) == salt_of(sealed[2])
    assert salt_of(sender.wrap(packet(1))) == salt_of(sealed[1])


def test_a_sender_that_forgets_a_stream_never_seals_it_with_the_salt_of_before(monkeypatch):
    monkeypatch.setattr(sealing, "MAX_SEALERS", 2)
    sender = envelope()
    first, *_, again = (sender.wrap(packet(1, stream=stream)) for stream in (1, 2, 3, 1))
    assert salt_of(first) != salt_of(again)


def test_what_a_receiver_seals_is_not_what_a_sender_seals():
    """An answer sent back to who wrote it opens nowhere."""
    answer = bytearray(envelope().wrap(packet(kind=Kind.FEEDBACK)))
    answer[0] = 0x10 | Kind.CONTROL
    with pytest.raises(WireError):
        envelope().unwrap(bytes(answer))


def test_another_key_is_told_after_a_few_packets_and_not_once_one_has_opened():
    stranger, receiver = envelope(bytes(32)), envelope()
    for sequence in range(MISMATCH_AFTER - 1):
        with pytest.raises(WireError) as damage:
            receiver.unwrap(stranger.wrap(packet(sequence)))
        assert not isinstance(damage.value, SealMismatch)
    with pytest.raises(SealMismatch, match="another key") as mismatch:
        receiver.unwrap(stranger.wrap(packet(9, stream=8)))
    assert mismatch.value.stream == 8
    receiver.unwrap(envelope().wrap(packet()))
    with pytest.raises(WireError) as damage:
        receiver.unwrap(stranger.wrap(packet(10)))
    assert not isinstance(damage.value, SealMismatch)


def test_one_end_with_a_key_and_one_without():
    with pytest.raises(SealMismatch, match="not sealed"):
        envelope().unwrap(PlainEnvelope().wrap(packet()))
    with pytest.raises(SealMismatch, match="are sealed: start this end with"):
        PlainEnvelope().unwrap(envelope().wrap(packet()))


def test_inner_parity_corrects_sealed_packets_too():
    sent = packet(payload=bytes(300))
    datagram = bytearray(envelope(inner_parity=20).wrap(sent))
    for place in (0, 100, 200, 300):
        datagram[place] ^= 0xFF
    assert len(datagram) == SEALED_OVERHEAD + 300 + 20
    assert envelope(inner_parity=20).unwrap(bytes(datagram)) == sent
    with pytest.raises(WireError):
        envelope().unwrap(bytes(datagram[:-20]))


def test_strangers_fill_no_memory(monkeypatch):
    monkeypatch.setattr(sealing, "MAX_SEALERS", 8)
    receiver, stranger, sender = envelope(), envelope(bytes(32), seed=5), envelope(seed=6)
    receiver.unwrap(sender.wrap(packet(0)))
    for stream in range(50):
        with pytest.raises(WireError):
            receiver.unwrap(stranger.wrap(packet(stream=stream)))
    assert len(receiver._openers) == 1
    for stream in range(50):
        receiver.unwrap(sender.wrap(packet(stream=stream)))
    assert len(receiver._openers) == len(sender._sealers) == 8


def test_what_was_sealed_long_ago_is_not_taken_however_often_it_comes():
    recorded = [envelope(clock=lambda: NOW - MAX_AGE_S - 1, seed=n).wrap(packet(stream=n)) for n in range(3)]
    ahead = envelope(clock=lambda: NOW + MAX_AGE_S + 1).wrap(packet())
    receiver = envelope(seed=9)
    for datagram in (recorded[0], ahead):
        with pytest.raises(WireError, match="clocks differ") as refused:
            receiver.unwrap(datagram)
        assert not isinstance(refused.value, SealMismatch)
    with pytest.raises(SealMismatch, match="sealed 301 s before now .* --max-age"):
        receiver.unwrap(recorded[1])
    receiver.unwrap(envelope(seed=8).wrap(packet(stream=8)))
    with pytest.raises(WireError) as refused:
        receiver.unwrap(recorded[2])
    assert not isinstance(refused.value, SealMismatch)
    assert len(receiver._openers) == 1
    SealedEnvelope(KEY, clock=lambda: NOW, max_age_s=1e9).unwrap(recorded[0])


def test_a_stream_that_is_older_than_one_that_came_is_recorded():
    clock = [NOW]
    sender, receiver = envelope(clock=lambda: clock[0]), envelope(seed=1, clock=lambda: clock[0])
    lost = [sender.wrap(packet(sequence, stream=1)) for sequence in range(2)]
    clock[0] += 60
    receiver.unwrap(sender.wrap(packet(stream=2)))
    with pytest.raises(WireError, match="older than one that came"):
        receiver.unwrap(lost[0])
    known = envelope(seed=2, clock=lambda: clock[0])
    known.unwrap(lost[0])
    known.unwrap(sender.wrap(packet(3, stream=2)))
    with pytest.raises(WireError, match="older than one that came"):
        known.unwrap(lost[1])  # even if another of its packets came in time


def test_a_long_stream_tells_when_its_packets_were_sealed():
    clock = [NOW]
    sender, receiver = envelope(clock=lambda: clock[0]), envelope(seed=1, clock=lambda: clock[0])
    for sequence in range(0, 1000, 10):
        datagram = sender.wrap(packet(sequence))
        assert clock[0] - sealed_at(datagram) < RESEAL_S
        receiver.unwrap(datagram)
        clock[0] += 10
    answer = sender.wrap(packet(0, kind=Kind.FEEDBACK))
    clock[0] += 1e6
    assert salt_of(sender.wrap(packet(1, kind=Kind.FEEDBACK))) == salt_of(answer)  # one for each answered stream
    receiver.unwrap(answer)


def test_a_clock_that_is_set_back_a_little_breaks_no_stream():
    clock = [NOW]
    sender, receiver = envelope(clock=lambda: clock[0]), envelope(seed=1)
    receiver.unwrap(sender.wrap(packet(1)))
    clock[0] -= CLOCK_STEP_S
    receiver.unwrap(sender.wrap(packet(2)))
    receiver.unwrap(sender.wrap(packet(1, stream=2)))

import math

import numpy as np
import pytest

from channel_sim.modem.damage import damage


def wrong_bits(sent: bytes, received: bytes) -> np.ndarray:
    return np.flatnonzero(np.unpackbits(np.frombuffer(sent, np.uint8) ^ np.frombuffer(received, np.uint8)))


@pytest.mark.parametrize("rate", [1e-12, 1e-5, 0.003, 0.5])
def test_some_bit_is_wrong_however_rarely_bits_are(rate: float) -> None:
    rng = np.random.default_rng(1)
    for size in (1, 100):
        sent = rng.bytes(size)
        received = damage(sent, rate, rng)
        assert len(received) == size
        assert received != sent


def test_wrong_bits_are_as_many_as_in_packets_that_have_one_and_anywhere() -> None:
    """4,000 packets of 200 bits at a rate of 1 %: the mean count is 2 / P(some), within 4 standard errors."""
    rng, rate, bits, packets = np.random.default_rng(2), 0.01, 200, 4000
    positions = [wrong_bits(bytes(25), damage(bytes(25), rate, rng)) for _ in range(packets)]
    some = 1 - (1 - rate) ** bits
    mean = bits * rate / some
    second = (bits * rate * (1 - rate) + (bits * rate) ** 2) / some
    counts = np.array([len(p) for p in positions])
    assert abs(counts.mean() - mean) < 4 * math.sqrt((second - mean**2) / packets)
    middle = np.concatenate(positions).mean()
    assert abs(middle - (bits - 1) / 2) < 4 * bits / math.sqrt(12 * counts.sum())


def test_damage_is_seeded() -> None:
    assert damage(bytes(50), 0.1, np.random.default_rng(3)) == damage(bytes(50), 0.1, np.random.default_rng(3))
    assert damage(bytes(50), 0.1, np.random.default_rng(3)) != damage(bytes(50), 0.1, np.random.default_rng(4))


@pytest.mark.parametrize(("size", "rate"), [(0, 0.1), (10, 0.0), (10, 0.6), (10, math.nan)])
def test_damage_that_cannot_be_is_refused(size: int, rate: float) -> None:
    with pytest.raises(ValueError, match="no bit errors"):
        damage(bytes(size), rate, np.random.default_rng(0))

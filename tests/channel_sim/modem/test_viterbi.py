"""The packet error model beside a decoder: 802.11's code with a hard-decision Viterbi decoder, packets in parallel."""

import math

import numpy as np
import pytest

from channel_sim.modem.coding import HALF, THREE_QUARTERS
from channel_sim.modem.mcs import SCHEMES, Mcs

STATES = np.arange(64)
PARITIES = np.array([register.bit_count() % 2 for register in range(128)], dtype=np.uint8)
REGISTERS = (STATES & 31)[:, None] << 1 | np.arange(2) | (STATES >> 5)[:, None] << 6
"""Register [state, branch] that ends in each state: the new bit and the six before it, the oldest last."""
CODED = np.stack([PARITIES[REGISTERS & 0o133], PARITIES[REGISTERS & 0o171]], axis=-1)
PUNCTURING = {HALF.name: np.array([[1, 1]]), THREE_QUARTERS.name: np.array([[1, 1], [1, 0], [0, 1]])}


def encode(bits: np.ndarray) -> np.ndarray:
    """[packets, steps] -> [packets, steps, 2]"""
    history = np.pad(bits, ((0, 0), (6, 0)))
    taps = [np.flatnonzero([generator >> position & 1 for position in range(7)]) for generator in (0o133, 0o171)]
    shifted = np.stack([history[:, start : start + bits.shape[1]] for start in range(7)])
    return np.stack([np.bitwise_xor.reduce(shifted[tap]) for tap in taps], axis=-1)


def decode(received: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Bits of packets of zeros and ones [packets, steps, 2], where `known` [steps, 2] -> [packets, steps]."""
    packets, steps, _ = received.shape
    distances = np.full((packets, 64), 1000, dtype=np.int32)
    distances[:, 0] = 0
    branches = np.empty((steps, packets, 64), dtype=np.uint8)
    before = REGISTERS & 63
    for step in range(steps):
        wrong = ((received[:, step, None, None] != CODED) & known[step].astype(bool)).sum(axis=-1, dtype=np.int32)
        reached = distances[:, before] + wrong
        branches[step] = reached[..., 1] < reached[..., 0]
        distances = reached.min(axis=-1)
    state = np.zeros(packets, dtype=np.intp)
    decoded = np.empty((packets, steps), dtype=np.uint8)
    for step in reversed(range(steps)):
        decoded[:, step] = state >> 5
        state = before[state, branches[step, np.arange(packets), state]]
    return decoded


@pytest.mark.parametrize("scheme", [SCHEMES[2], SCHEMES[3]], ids=lambda scheme: scheme.name)
def test_a_decoder_loses_a_tenth_of_packets_within_a_decibel_of_the_model(scheme: Mcs) -> None:
    """600 packets of 300 bits at the SNR where the model loses a tenth, and a decibel below, within 3 standard errors.

    Errors come in runs, so that a decoder loses somewhat fewer packets than the model, which spreads them evenly.
    """
    packets, steps, tail = 600, 306, 6
    known = np.resize(PUNCTURING[scheme.code.name], (steps, 2))
    grid_db = np.linspace(0, 15, 3001)
    a_tenth_db = float(np.interp(-0.1, -scheme.packet_error_rate(grid_db, 300), grid_db))
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, (packets, steps), dtype=np.uint8)
    bits[:, -tail:] = 0
    lost = []
    for snr_db in (a_tenth_db, a_tenth_db - 1):
        wrong = rng.random((packets, steps, 2)) < scheme.modulation.bit_error_rate(snr_db)
        lost.append((decode(encode(bits) ^ wrong, known) != bits).any(axis=1).mean())
    margin = 3 * math.sqrt(0.1 * 0.9 / packets)
    assert lost[0] < 0.1 + margin
    assert lost[1] > 0.1 - margin

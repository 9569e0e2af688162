"""Bit errors in payloads, independent of each other."""

from __future__ import annotations

import math

import numpy as np


def damage(data: bytes, bit_error_rate: float, rng: np.random.Generator) -> bytes:
    """The bytes as a receiver reads them that knows they are damaged: with bit errors, at least one.

    Exact: the first wrong bit is drawn from its distribution among packets that have one, the others after it freely.

    Args:
        data: what was sent, at least one byte.
        bit_error_rate: above 0, up to 1/2.
        rng: draws the positions.
    """
    bits = 8 * len(data)
    if not bits or not 0 < bit_error_rate <= 0.5:
        raise ValueError(f"no bit errors can be in {len(data)} bytes at a bit error rate of {bit_error_rate}")
    log_right = math.log1p(-bit_error_rate)
    some_wrong = -math.expm1(bits * log_right)
    first = min(bits - 1, int(math.log1p(-rng.random() * some_wrong) / log_right))
    wrong = np.zeros(bits, dtype=np.bool_)
    wrong[first] = True
    wrong[first + 1 :] = rng.random(bits - first - 1) < bit_error_rate
    return (np.frombuffer(data, dtype=np.uint8) ^ np.packbits(wrong)).tobytes()

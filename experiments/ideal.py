"""What no code can do better: one stream for receivers of which each gets its own share of all that is sent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STEPS = 400
"""Of the bytes that a receiver may decode."""

BISECTIONS = 60


def ideal_gap(sizes: Floats, psnr: Floats, arrives: Floats, budget_bytes: float) -> float:
    """Mean gap in dB between receivers' own streams and one stream for all, both with ideal erasure codes.

    A receiver of which the share a arrives decodes at most a * budget of its own stream. Of one for all, receivers that
    get no more than others decode a prefix of what these do, and what receiver i decodes beyond the one before it costs
    1 / a_i bytes each: the erasure broadcast channel is degraded, so that sharing the time is best (Bergmans, 1973).
    The bytes decoded by each are found under a price for bytes (Lagrange), by dynamic programming.

    Args:
        sizes, psnr: bytes of the stream without losses, rising from 0, and the quality that they give, [n].
        arrives: share of the packets that each receiver gets, above 0, [R].
        budget_bytes: that may be sent.
    """
    share = np.sort(np.maximum(arrives, 1e-3))
    decoded = np.linspace(0, budget_bytes, STEPS + 1)
    quality = np.interp(decoded, sizes, psnr)
    cost_of_byte = 1 / share - np.append(1 / share[1:], 0.0)
    own = np.interp(share * budget_bytes, sizes, psnr)

    def at_price(price: float) -> NDArray[np.intp]:
        """Steps of `decoded` for each receiver, never falling."""
        value = quality - price * np.outer(cost_of_byte, decoded)  # [R, STEPS + 1]
        best, chosen = np.zeros(STEPS + 1), list[NDArray[np.intp]]()
        for worth in value[::-1]:  # from the best receiver down: who gets less decodes at most as much
            total = worth + best
            upto = np.maximum.accumulate(total[::-1])[::-1]
            place = np.where(total >= upto, np.arange(STEPS + 1), STEPS + 1)
            chosen.append(np.minimum.accumulate(place[::-1])[::-1])
            best = upto
        steps, least = list[int](), 0
        for places in reversed(chosen):
            least = int(places[least])
            steps.append(least)
        return np.array(steps)

    def cost(steps: NDArray[np.intp]) -> float:
        return float(cost_of_byte @ decoded[steps])

    low, high = 0.0, 1.0
    while cost(at_price(high)) > budget_bytes:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        price = (low + high) / 2
        low, high = (low, price) if cost(at_price(price)) <= budget_bytes else (price, high)
    return float((own - quality[at_price(high)]).mean())

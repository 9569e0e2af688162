"""The convolutional code of IEEE 802.11 (constraint length 7, generators 133 and 171 octal) and its punctured rates.

The bit error rate after hard-decision Viterbi decoding is the union bound over the paths that leave the right one and
return to it at distance d (Proakis, Digital Communications, 5th ed., section 8.2-2):

    P_bit <= 1/b * sum over d of c_d * P_d,   P_d: more than half of d bits wrong, half of the ties

with c_d the information bits in error on all such paths over a period of b bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Code:
    """A punctured convolutional code.

    Fields:
        name: its rate as a fraction.
        period: information bits b in a period of the puncturing pattern.
        coded_bits: sent for these.
        spectrum: c_d by distance d, from the free distance on.
    """

    name: str
    period: int
    coded_bits: int
    spectrum: tuple[tuple[int, int], ...]

    @property
    def rate(self) -> float:
        """Information bits per coded bit."""
        return self.period / self.coded_bits

    def bit_error_rate(self, channel_rate: ArrayLike) -> Floats:
        """Bound on the share of wrong bits after decoding, from that before it, [...] -> [...], 1/2 at most.

        Tight below 1e-3; above, it exceeds what a decoder does, which matters for packets of a few bytes alone.
        """
        from scipy.special import betainc

        p = np.asarray(channel_rate, dtype=np.float64)
        bound = np.zeros_like(p)
        for distance, weight in self.spectrum:
            majority = (distance + 1) // 2
            # The binomial tail; an even distance, with half of its ties, errs as often as the odd one below.
            bound += weight / self.period * betainc(majority, majority, p)
        return np.minimum(bound, 0.5)


def _spectrum(free_distance: int, step: int, weights: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((free_distance + step * position, weight) for position, weight in enumerate(weights))


HALF = Code("1/2", 1, 2, _spectrum(10, 2, (36, 211, 1404, 11633, 77433, 502690)))
TWO_THIRDS = Code("2/3", 2, 3, _spectrum(6, 1, (3, 70, 285, 1276, 6160, 27128, 117019, 498835)))
THREE_QUARTERS = Code("3/4", 3, 4, _spectrum(5, 1, (42, 201, 1492, 10469, 62935, 379546, 2252394, 13064540)))
CODES = (HALF, TWO_THIRDS, THREE_QUARTERS)

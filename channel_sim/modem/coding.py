"""The convolutional code of IEEE 802.11 (constraint length 7, generators 133 and 171 octal) and its punctured rates.

Hard-decision Viterbi decoding errs where a path that leaves the right one and returns to it at distance d seems nearer.
By the union bound over these paths, and per information bit,

    error events <= 1/b * sum over d of a_d P_d      wrong bits <= 1/b * sum over d of c_d P_d

with a_d such paths over a period of b bits, c_d information bits wrong on all of them, and P_d the probability that
more than half of d bits are wrong, or half of them and a coin falls badly (Proakis, Digital Communications, 5th ed.,
section 8.2-2). A packet is decoded if no event begins in it (M. B. Pursley and D. J. Taipale, "Error probabilities for
spread-spectrum packet radio with convolutional codes and Viterbi decoding", IEEE Trans. Commun. 35(1), 1987).
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
        spectrum: distance d, paths a_d and information bits c_d wrong on them, from the free distance on.
    """

    name: str
    period: int
    coded_bits: int
    spectrum: tuple[tuple[int, int, int], ...]

    @property
    def rate(self) -> float:
        """Information bits per coded bit."""
        return self.period / self.coded_bits

    def event_rate(self, channel_rate: ArrayLike) -> Floats:
        """Bound on error events per information bit, from the share of wrong coded bits, [...] -> [...], 1/2 at most.

        Tight below 1e-3; above, it exceeds what a decoder does, which matters for packets of a few bytes alone.
        """
        return self._bound(channel_rate, [(distance, paths) for distance, paths, _ in self.spectrum])

    def bit_error_rate(self, channel_rate: ArrayLike) -> Floats:
        """Bound on the share of wrong bits after decoding, from that before it, [...] -> [...], 1/2 at most."""
        return self._bound(channel_rate, [(distance, wrong) for distance, _, wrong in self.spectrum])

    def _bound(self, channel_rate: ArrayLike, weights: list[tuple[int, int]]) -> Floats:
        from scipy.special import betainc

        p = np.asarray(channel_rate, dtype=np.float64)
        bound = np.zeros_like(p)
        for distance, weight in weights:
            majority = (distance + 1) // 2
            # The binomial tail; an even distance, with half of its ties, errs as often as the odd one below.
            bound += weight / self.period * betainc(majority, majority, p)
        return np.minimum(bound, 0.5)


HALF = Code(
    "1/2",
    1,
    2,
    ((10, 11, 36), (12, 38, 211), (14, 193, 1404), (16, 1331, 11633), (18, 7275, 77433), (20, 40406, 502690)),
)
TWO_THIRDS = Code(
    "2/3",
    2,
    3,
    ((6, 1, 3), (7, 16, 70), (8, 48, 285), (9, 158, 1276), (10, 642, 6160), (11, 2435, 27128), (12, 9174, 117019))
    + ((13, 34701, 498835),),
)
THREE_QUARTERS = Code(
    "3/4",
    3,
    4,
    ((5, 8, 42), (6, 31, 201), (7, 160, 1492), (8, 892, 10469), (9, 4512, 62935), (10, 23297, 379546))
    + ((11, 120976, 2252394), (12, 624304, 13064540)),
)
CODES = (HALF, TWO_THIRDS, THREE_QUARTERS)

"""Bit error rates of Gray-mapped modulation with coherent detection, exact, on AWGN and on Rayleigh fading.

Each of these modulations errs at a rate of the same form, a weighted sum over the thresholds that noise can carry a
symbol across: sum of w_i Q(sqrt(2 a_i snr)), with snr the energy of a symbol over the noise density, Es / N0. Its mean
over Rayleigh fading follows term by term.

BPSK and QPSK: Proakis, Digital Communications, 5th ed., sections 4.3-1 and 4.3-2. Square QAM: Cho and Yoon, "On the
general BER expression of one- and two-dimensional amplitude modulations", IEEE Trans. Commun. 50(7), 2002, equations
14 and 16. Mean over Rayleigh fading: Proakis, section 13.3-1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Modulation:
    """A constellation with Gray mapping.

    Fields:
        name: as engineers call it.
        bits: carried by a symbol.
        terms: weight w and distance a of each Q function of the bit error rate.
    """

    name: str
    bits: int
    terms: tuple[tuple[float, float], ...]

    def bit_error_rate(self, snr_db: ArrayLike) -> Floats:
        """Share of wrong bits on AWGN at these SNRs (Es / N0) in dB, [...] -> [...]; 1/2 at -inf dB."""
        from scipy.special import erfc

        snr = 10 ** (np.asarray(snr_db, dtype=np.float64) / 10)
        rates: Floats = sum((weight / 2 * erfc(np.sqrt(a * snr)) for weight, a in self.terms), np.zeros_like(snr))
        return rates

    def rayleigh_bit_error_rate(self, mean_snr_db: ArrayLike) -> Floats:
        """Share of wrong bits on Rayleigh fading at these mean SNRs in dB, [...] -> [...]."""
        mean_snr = 10 ** (np.asarray(mean_snr_db, dtype=np.float64) / 10)
        return sum(
            (weight / 2 * (1 - np.sqrt(a * mean_snr / (1 + a * mean_snr))) for weight, a in self.terms),
            np.zeros_like(mean_snr),
        )


def _square_qam(name: str, bits: int) -> Modulation:
    """Square QAM: each axis is amplitude modulation with half of the bits; bits=2 is QPSK."""
    levels = 2 ** (bits // 2)
    terms: dict[float, float] = {}
    for bit in range(1, bits // 2 + 1):
        for crossed in range(levels - levels // 2**bit):
            sign = -1 if (crossed * 2 ** (bit - 1) // levels) % 2 else 1
            count = 2 ** (bit - 1) - math.floor(crossed * 2 ** (bit - 1) / levels + 0.5)
            a = (2 * crossed + 1) ** 2 * 3 / (2 * (levels**2 - 1))
            terms[a] = terms.get(a, 0.0) + 2 * sign * count / (levels * (bits // 2))
    return Modulation(name, bits, tuple((weight, a) for a, weight in terms.items() if weight))


BPSK = Modulation("BPSK", 1, ((1.0, 1.0),))
QPSK = _square_qam("QPSK", 2)
QAM16 = _square_qam("16-QAM", 4)
QAM64 = _square_qam("64-QAM", 6)
MODULATIONS = (BPSK, QPSK, QAM16, QAM64)

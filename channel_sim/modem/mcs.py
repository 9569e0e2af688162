"""Modulation and coding schemes: the eight of IEEE 802.11's OFDM, with their rates and packet error rates.

    SNR -> wrong bits before decoding -> error events per bit, r, after it -> packet error rate 1 - (1 - r)^bits

Rates are those of IEEE Std 802.11-2016, table 17-4, per hertz of channel bandwidth: 6 to 54 Mbit/s in 20 MHz. The
error model follows ns-3 (Pei and Henderson, "Validation of OFDM error rate model in ns-3", 2010), with the union
bound's exact terms in place of Chernoff's, and for packets by error events in place of wrong bits. Each threshold is
where one packet of 1000 bytes in ten is lost; the minimum sensitivities of the standard (table 17-18: the same packet
error rate, with a noise figure of 10 dB and a margin of 5 dB for the implementation) lie within 1.1 dB of them.

Limits of the model: SNR is per subcarrier and the same on all of them (use an effective SNR on a frequency-selective
channel); detection is coherent with a known channel; a decoder does better than the bound by some tenths of a decibel,
and a soft decision by 2 dB, which real receivers lose again elsewhere; the wrong bits of a damaged packet lie
anywhere, where a decoder's come in runs. There is no retransmission below the packet.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from channel_sim.modem.coding import HALF, THREE_QUARTERS, TWO_THIRDS, Code
from channel_sim.modem.modulation import BPSK, QAM16, QAM64, QPSK, Modulation

Floats = NDArray[np.float64]

OFDM_EFFICIENCY = 48 / 64 * 3.2 / 4.0
"""Data symbols per second and hertz: 48 of 64 subcarriers carry data, for 3.2 us of each 4 us."""

REFERENCE_BITS = 8 * 1000
REFERENCE_ERROR_RATE = 0.1
"""A scheme's threshold is the SNR at which packets of this length are lost at this rate."""


@dataclass(frozen=True, slots=True)
class Mcs:
    """A modulation and coding scheme.

    Fields:
        modulation: of the subcarriers.
        code: that protects the bits.
        threshold_db: SNR at which a packet of 1000 bytes is lost with probability 10 %.
    """

    modulation: Modulation
    code: Code
    threshold_db: float

    @property
    def name(self) -> str:
        """Such as 'qpsk-1/2'."""
        return f"{self.modulation.name.replace('-', '').lower()}-{self.code.name}"

    @property
    def efficiency(self) -> float:
        """Bits per second and hertz of channel bandwidth."""
        return self.modulation.bits * self.code.rate * OFDM_EFFICIENCY

    def event_rate(self, snr_db: ArrayLike) -> Floats:
        """Error events per bit after decoding at these SNRs in dB, [...] -> [...], 1/2 at most."""
        return self.code.event_rate(self.modulation.bit_error_rate(snr_db))

    def bit_error_rate(self, snr_db: ArrayLike) -> Floats:
        """Share of wrong bits after decoding at these SNRs in dB, [...] -> [...], 1/2 at most."""
        return self.code.bit_error_rate(self.modulation.bit_error_rate(snr_db))

    def packet_error_rate(self, snr_db: ArrayLike, bits: ArrayLike) -> Floats:
        """Probability that a packet of so many bits has a wrong one at these SNRs in dB; the two broadcast."""
        return packet_error_rate(self.event_rate(snr_db), bits)


def packet_error_rate(error_rate: ArrayLike, bits: ArrayLike) -> Floats:
    """Probability that at least one of so many bits is in error, each by itself at this rate; the two broadcast."""
    rates: Floats = -np.expm1(np.asarray(bits) * np.log1p(-np.asarray(error_rate, dtype=np.float64)))
    return rates


SCHEMES = (
    Mcs(BPSK, HALF, 2.98),
    Mcs(BPSK, THREE_QUARTERS, 5.46),
    Mcs(QPSK, HALF, 5.99),
    Mcs(QPSK, THREE_QUARTERS, 8.47),
    Mcs(QAM16, HALF, 12.42),
    Mcs(QAM16, THREE_QUARTERS, 15.13),
    Mcs(QAM64, TWO_THIRDS, 19.96),
    Mcs(QAM64, THREE_QUARTERS, 21.05),
)
"""From the slowest and most robust to the fastest."""

MCS_NAMES = tuple(scheme.name for scheme in SCHEMES)
THRESHOLDS_DB = np.array([scheme.threshold_db for scheme in SCHEMES])
EFFICIENCIES = np.array([scheme.efficiency for scheme in SCHEMES])

_LOWEST_DB, _HIGHEST_DB, _STEPS_PER_DB = -20.0, 40.0, 20
"""Below, every scheme errs in every packet; above, none ever does."""


class ErrorRates(NamedTuple):
    """Of schemes after decoding, as `Mcs.event_rate` and `Mcs.bit_error_rate`."""

    events: Floats
    bits: Floats


def error_rates(schemes: NDArray[np.intp], snr_db: Floats) -> ErrorRates:
    """Of the schemes of these numbers at these SNRs in dB, which broadcast; from a table: within 3 %, and fast."""
    table = _log_rates()
    position = (np.clip(snr_db, _LOWEST_DB, _HIGHEST_DB) - _LOWEST_DB) * _STEPS_PER_DB
    below = np.minimum(position.astype(np.intp), table.shape[-1] - 2)
    low, high = table[:, schemes, below], table[:, schemes, below + 1]
    return ErrorRates(*np.exp(low + (high - low) * (position - below)))


@functools.cache
def _log_rates() -> Floats:
    """Natural logarithms of both rates on a grid of SNRs, [2, schemes, grid]."""
    grid_db = np.linspace(_LOWEST_DB, _HIGHEST_DB, round((_HIGHEST_DB - _LOWEST_DB) * _STEPS_PER_DB) + 1)
    rates = [
        [scheme.event_rate(grid_db) for scheme in SCHEMES],
        [scheme.bit_error_rate(grid_db) for scheme in SCHEMES],
    ]
    return np.log(np.maximum(rates, np.finfo(np.float64).tiny))

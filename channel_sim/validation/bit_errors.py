"""Bits sent through a modem, symbol by symbol, beside the closed forms of their error rates."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from channel_sim.modem.mcs import SCHEMES
from channel_sim.modem.modulation import MODULATIONS, Modulation
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bits = NDArray[np.uint8]
Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]

TITLE = "Bit error rates"

NOTE = """\
Random bits are mapped to symbols by a Gray code, sent through additive white Gaussian noise, or through Rayleigh fading
that is independent from symbol to symbol and known to the receiver, and decided symbol by symbol; 200,000 symbols a
point, at every decibel from 0 to 20 of the mean SNR (Es / N0) where at least 100 errors are expected. The closed forms
are exact (Proakis; Cho and Yoon, 2002). The tolerance is three standard errors, by the variance of the errors in a
symbol: bits of one symbol do not err independently.

On the right of the figure, what the modulation and coding schemes make of these rates: the share of packets of 1000
bytes lost on a steady channel, by the union bound over the error events of a hard-decision Viterbi decoder. It is no
measurement; that a decoder loses a tenth of its packets within a decibel of it is tested.
"""

SYMBOLS = 200_000
LEAST_ERRORS = 100
SNRS_DB = range(21)
SEED = 1


class GrayModem:
    """Maps bits to symbols of unit mean energy and decides received symbols by the nearest one.

    Each axis is amplitude modulation by a reflected Gray code (one axis for BPSK), with half of a symbol's bits.
    """

    def __init__(self, modulation: Modulation) -> None:
        self.bits = modulation.bits
        self._axes = 1 if self.bits == 1 else 2
        self._axis_bits = self.bits // self._axes
        self._levels = 2**self._axis_bits
        self._spacing = math.sqrt(3 / (self._axes * (self._levels**2 - 1)))
        positions = np.arange(self._levels)
        self._word_at = positions ^ positions >> 1
        self._position_of = np.argsort(self._word_at)

    def modulate(self, bits: Bits) -> Complexes:
        """[symbols, bits] -> [symbols]"""
        powers = 2 ** np.arange(self._axis_bits)[::-1]
        words = bits.reshape(len(bits), self._axes, self._axis_bits) @ powers
        amplitudes = (2 * self._position_of[words] - (self._levels - 1)) * self._spacing
        symbols: Complexes = amplitudes[:, 0] + 1j * (amplitudes[:, 1] if self._axes == 2 else 0)
        return symbols

    def demodulate(self, received: Complexes) -> Bits:
        """[symbols] -> [symbols, bits]"""
        amplitudes = np.stack([received.real, received.imag][: self._axes], axis=1)
        positions = np.rint((amplitudes / self._spacing + self._levels - 1) / 2)
        words = self._word_at[np.clip(positions, 0, self._levels - 1).astype(np.intp)]
        bits: Bits = (words[..., None] >> np.arange(self._axis_bits)[::-1] & 1).astype(np.uint8)
        return bits.reshape(len(received), self.bits)


def count_errors(modulation: Modulation, snr_db: float, *, fading: bool, rng: np.random.Generator) -> Floats:
    """Wrong bits in each of `SYMBOLS` symbols at a mean SNR in dB."""
    modem = GrayModem(modulation)
    bits = rng.integers(0, 2, (SYMBOLS, modulation.bits), dtype=np.uint8)
    gain = _gaussian(rng) if fading else np.ones(SYMBOLS)
    noise = _gaussian(rng) * 10 ** (-snr_db / 20)
    decided = modem.demodulate((gain * modem.modulate(bits) + noise) / gain)
    errors: Floats = (decided != bits).sum(axis=1).astype(np.float64)
    return errors


def _gaussian(rng: np.random.Generator) -> Complexes:
    """Circularly symmetric, of unit mean power."""
    return rng.normal(scale=math.sqrt(0.5), size=(SYMBOLS, 2)).view(np.complex128)[:, 0]


def checks() -> list[Check]:
    """Bit error rates of all modulations on both channels; some 5 s, once."""
    return list(_measured())


@functools.cache
def _measured() -> tuple[Check, ...]:
    rng = np.random.default_rng(SEED)
    rows = []
    for modulation in MODULATIONS:
        for fading in (False, True):
            for snr_db in SNRS_DB:
                expected = float(closed_form(modulation, snr_db, fading=fading))
                if expected * SYMBOLS * modulation.bits >= LEAST_ERRORS:
                    errors = count_errors(modulation, snr_db, fading=fading, rng=rng)
                    standard_error = errors.std() / math.sqrt(SYMBOLS) / modulation.bits
                    what = f"{modulation.name}, {'Rayleigh' if fading else 'AWGN'}, {snr_db} dB: bit error rate"
                    measured = float(errors.mean()) / modulation.bits
                    rows.append(Check(what, measured, expected, 3 * standard_error, SYMBOLS * modulation.bits))
    return tuple(rows)


def closed_form(modulation: Modulation, snr_db: float | Floats, *, fading: bool) -> Floats:
    return modulation.rayleigh_bit_error_rate(snr_db) if fading else modulation.bit_error_rate(snr_db)


def draw(figure: Figure) -> None:
    """Bit error rates on both channels, and packet error rates of the schemes."""
    channels, schemes = figure.subplots(1, 2)
    grid_db = np.linspace(0, 24, 200)
    for number, modulation in enumerate(MODULATIONS):
        for fading, style in ((False, "-"), (True, "--")):
            channels.semilogy(grid_db, closed_form(modulation, grid_db, fading=fading), style, color=f"C{number}")
        channels.plot([], [], color=f"C{number}", label=modulation.name)
    for row in _measured():
        modulation_name, _, rest = row.what.split(", ")
        color = [modulation.name for modulation in MODULATIONS].index(modulation_name)
        channels.plot(float(rest.split(" ")[0]), row.measured, ".", color=f"C{color}")
    channels.set(xlabel="mean SNR (dB)", ylabel="bit error rate", ylim=(1e-6, 0.6))
    channels.legend(title="solid: AWGN\ndashed: Rayleigh", fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    for scheme in SCHEMES:
        schemes.semilogy(grid_db, scheme.packet_error_rate(grid_db, 8000), label=scheme.name)
    schemes.set(xlabel="SNR (dB)", ylabel="packet error rate, 1000 bytes", ylim=(1e-3, 1.2))
    schemes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))

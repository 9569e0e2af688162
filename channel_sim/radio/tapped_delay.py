"""Frequency-selective fading: the tapped delay lines TDL-A to TDL-E of 3GPP TR 38.901, and their effective SNR.

The effective SNR is that of the flat channel on which a long code would do as well. Both mappings in use give the SNR
itself on a flat channel, lie between the worst and the mean SNR over the band, and take interleaving over the
whole band and time within a packet for granted:

- by capacity: the flat channel with the same mean of log2(1 + SNR). Needs no tuning; an ideal code would reach
  it, so it is optimistic for dense modulations at high SNR, whose own information saturates.
- exponential (EESM): -beta ln mean exp(-SNR / beta), from the Chernoff bound of the error rate. beta is tuned for each
  modulation and code rate: between one and two for QPSK, more than ten times that for 64-QAM at a high rate.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.fading import scattering
from channel_sim.radio.settings import Profile, TappedDelayLine

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

MOST_FREQUENCIES = 48
"""At which the band is sampled: beyond, the mean over the band hardly changes."""

_ELEMENTS_AT_ONCE = 2**17

LOS_DOPPLER = 0.7
"""Doppler shift of the line of sight over the largest one: TR 38.901, 7.7.2."""


class Taps(NamedTuple):
    """A power delay profile; delays over the rms delay spread, powers in dB as in the standard's table."""

    delays: tuple[float, ...]
    powers_db: tuple[float, ...]
    los_db: float | None = None
    """Power of the line of sight, which comes with the first tap; the other powers are those of Rayleigh taps."""


PROFILES: dict[Profile, Taps] = {
    "A": Taps(
        (0, 0.3819, 0.4025, 0.5868, 0.4610, 0.5375, 0.6708, 0.5750, 0.7618, 1.5375, 1.8978, 2.2242, 2.1718, 2.4942)
        + (2.5119, 3.0582, 4.0810, 4.4579, 4.5695, 4.7966, 5.0066, 5.3043, 9.6586),
        (-13.4, 0, -2.2, -4, -6, -8.2, -9.9, -10.5, -7.5, -15.9, -6.6, -16.7, -12.4, -15.2, -10.8, -11.3, -12.7, -16.2)
        + (-18.3, -18.9, -16.6, -19.9, -29.7),
    ),
    "B": Taps(
        (0, 0.1072, 0.2155, 0.2095, 0.2870, 0.2986, 0.3752, 0.5055, 0.3681, 0.3697, 0.5700, 0.5283, 1.1021, 1.2756)
        + (1.5474, 1.7842, 2.0169, 2.8294, 3.0219, 3.6187, 4.1067, 4.2790, 4.7834),
        (0, -2.2, -4, -3.2, -9.8, -1.2, -3.4, -5.2, -7.6, -3, -8.9, -9, -4.8, -5.7, -7.5, -1.9, -7.6, -12.2, -9.8)
        + (-11.4, -14.9, -9.2, -11.3),
    ),
    "C": Taps(
        (0, 0.2099, 0.2219, 0.2329, 0.2176, 0.6366, 0.6448, 0.6560, 0.6584, 0.7935, 0.8213, 0.9336, 1.2285, 1.3083)
        + (2.1704, 2.7105, 4.2589, 4.6003, 5.4902, 5.6077, 6.3065, 6.6374, 7.0427, 8.6523),
        (-4.4, -1.2, -3.5, -5.2, -2.5, 0, -2.2, -3.9, -7.4, -7.1, -10.7, -11.1, -5.1, -6.8, -8.7, -13.2, -13.9, -13.9)
        + (-15.8, -17.1, -16, -15.7, -21.6, -22.8),
    ),
    "D": Taps(
        (0, 0.035, 0.612, 1.363, 1.405, 1.804, 2.596, 1.775, 4.042, 7.937, 9.424, 9.708, 12.525),
        (-13.5, -18.8, -21, -22.8, -17.9, -20.1, -21.9, -22.9, -27.8, -23.6, -24.8, -30, -27.7),
        los_db=-0.2,
    ),
    "E": Taps(
        (0, 0.5133, 0.5440, 0.5630, 0.5440, 0.7112, 1.9092, 1.9293, 1.9589, 2.6426, 3.7136, 5.4524, 12.0034, 20.6519),
        (-22.03, -15.8, -18.1, -19.8, -22.9, -22.4, -18.6, -20.8, -22.6, -22.3, -25.6, -20.2, -29.8, -29.2),
        los_db=-0.03,
    ),
}
"""3GPP TR 38.901, tables 7.7.2-1 to 7.7.2-5."""


class TappedDelayLineFading:
    """Rayleigh taps, the first with a line of sight in profiles D and E; total mean power one.

    Args:
        settings: profile, delay spread, mapping.
        doppler_hz: the largest Doppler frequency; None for block fading.
        bandwidth_hz: over which the SNR is effective.
        links: how many independent ones.
    """

    def __init__(
        self,
        settings: TappedDelayLine,
        doppler_hz: float | None,
        bandwidth_hz: float,
        *,
        links: int,
        seed: SeedSequence,
    ) -> None:
        taps = PROFILES[settings.profile]
        scattered_seed, los_seed = seed.spawn(2)
        powers = 10 ** (np.array(taps.powers_db) / 10)
        los_power = 0.0 if taps.los_db is None else 10 ** (taps.los_db / 10)
        total = powers.sum() + los_power
        self._amplitudes = np.sqrt(powers / total)
        self._los_amplitude = math.sqrt(los_power / total)
        self._los_cycles = np.random.default_rng(los_seed).random((links, 1))
        self._los_shift_hz = LOS_DOPPLER * (doppler_hz or 0.0)
        self.delays_s = np.array(taps.delays) * settings.delay_spread_s
        self._beta = settings.beta
        self._frequencies_hz = _band(bandwidth_hz, float(self.delays_s.max()))
        self._scattering = scattering(
            settings.variation,
            doppler_hz,
            links=links,
            processes=len(powers),
            seed=scattered_seed,
        )

    def gains(self, times_s: Floats) -> Complexes:
        """Complex gains of the taps at these times in seconds, [T] or [links, T] -> [links, taps, T]."""
        gains: Complexes = self._amplitudes[:, None] * self._scattering.gains(times_s)
        gains[:, 0] += self._los_amplitude * np.exp(2j * np.pi * (self._los_cycles + self._los_shift_hz * times_s))
        return gains

    def effective_snr(self, mean_snr: Floats, times_s: Floats) -> Floats:
        """Effective SNR over the band, as a ratio, where the mean over fading is `mean_snr`; both [links, T].

        The times are [T] or [links, T], in seconds.
        """
        effective = np.empty_like(mean_snr)
        step = max(1, _ELEMENTS_AT_ONCE // (len(mean_snr) * max(len(self._frequencies_hz), len(self.delays_s))))
        for start in range(0, times_s.shape[-1], step):
            some = slice(start, start + step)
            response = frequency_response(self.gains(times_s[..., some]), self.delays_s, self._frequencies_hz)
            snr = mean_snr[:, None, some] * (response.real**2 + response.imag**2)
            mapped = capacity_snr(snr, axis=1) if self._beta is None else exponential_snr(snr, self._beta, axis=1)
            effective[:, some] = mapped
        return effective


def frequency_response(gains: Complexes, delays_s: Floats, frequencies_hz: Floats) -> Complexes:
    """Response of taps, [links, taps, T], with delays [taps], at offsets [F] from the carrier -> [links, F, T]."""
    response: Complexes = np.exp(-2j * np.pi * frequencies_hz[:, None] * delays_s) @ gains
    return response


def capacity_snr(snr: Floats, *, axis: int) -> Floats:
    """The SNR of the flat channel that has the mean capacity of these, as ratios, along an axis."""
    effective: Floats = np.expm1(np.log1p(snr).mean(axis=axis))
    return effective


def exponential_snr(snr: Floats, beta: float, *, axis: int) -> Floats:
    """Exponential effective SNR: -beta ln mean exp(-snr / beta) along an axis, as ratios.

    S. Nanda and K. M. Rege, "Frame error rates for convolutional codes on fading channels and the concept of effective
    Eb/N0", IEEE Trans. VT-47, 1998; 3GPP TR 25.892.
    """
    worst = snr.min(axis=axis, keepdims=True)
    spared = np.log(np.exp(-(snr - worst) / beta).mean(axis=axis))
    effective: Floats = worst.squeeze(axis) - beta * spared
    return effective


def _band(bandwidth_hz: float, longest_s: float) -> Floats:
    """Frequencies spread over the band, centred on the carrier: two a period of the fastest ripple, [F]."""
    count = 1 if longest_s == 0 else min(MOST_FREQUENCIES, 2 + math.ceil(2 * bandwidth_hz * longest_s))
    return bandwidth_hz * ((np.arange(count) + 0.5) / count - 0.5)

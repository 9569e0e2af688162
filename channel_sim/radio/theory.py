"""Closed forms of flat fading, to check a simulation against and to plan a link without one.

`rho` is an envelope over its root mean square, so that rho^2 is an SNR over its mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from channel_sim.radio.settings import Nakagami, Rayleigh, Rician

Floats = NDArray[np.float64]
FlatSettings = Rayleigh | Rician | Nakagami


def envelope_cdf(fading: FlatSettings, rho: Floats) -> Floats:
    """Probability that the envelope is at most `rho`, of any shape: the Rayleigh, Rice and Nakagami distributions."""
    from scipy import stats

    match fading:
        case Rayleigh():
            cdf = stats.rayleigh.cdf(rho, scale=math.sqrt(0.5))
        case Rician():
            k = 10 ** (fading.k_db / 10)
            cdf = stats.rice.cdf(rho, b=math.sqrt(2 * k), scale=math.sqrt(0.5 / (k + 1)))
        case Nakagami():
            cdf = stats.nakagami.cdf(rho, fading.m)
    return np.asarray(cdf)


def outage_probability(fading: FlatSettings, threshold_db: Floats, mean_snr_db: float) -> Floats:
    """Probability that the SNR is below a threshold, of any shape; for Rayleigh 1 - exp(-threshold / mean)."""
    return envelope_cdf(fading, 10 ** ((np.asarray(threshold_db) - mean_snr_db) / 20))


def level_crossing_rate_hz(fading: FlatSettings, rho: Floats, doppler_hz: float) -> Floats:
    """How often a second the envelope falls through `rho`, under a Clarke-Jakes spectrum.

    Rayleigh and Rician (its strong path at right angles to the motion): G. L. Stuber, "Principles of Mobile
    Communication", 4th edition, section 2.1.4. Nakagami, where 2 m is a whole number: M. D. Yacoub, J. E. Vargas and
    L. G. de R. Guedes, "On higher order statistics of the Nakagami-m distribution", IEEE Trans. VT-48, 1999.
    """
    rho = np.asarray(rho, dtype=np.float64)
    match fading:
        case Rayleigh():
            density = rho * np.exp(-(rho**2))
        case Rician():
            from scipy.special import ive

            k = 10 ** (fading.k_db / 10)
            argument = 2 * rho * math.sqrt(k * (k + 1))
            # ive is the Bessel function I0 less its growth exp(argument), which joins the exponent.
            density = math.sqrt(k + 1) * rho * np.exp(-k - (k + 1) * rho**2 + argument) * ive(0, argument)
        case Nakagami():
            m = fading.m
            growth = math.exp((m - 0.5) * math.log(m) - math.lgamma(m))
            density = growth * rho ** (2 * m - 1) * np.exp(-m * rho**2)
    rate_hz: Floats = math.sqrt(2 * math.pi) * doppler_hz * density
    return rate_hz


def mean_fade_duration_s(fading: FlatSettings, rho: Floats, doppler_hz: float) -> Floats:
    """How long on average the envelope stays below `rho`, in seconds: time spent there over the crossings into it."""
    return envelope_cdf(fading, rho) / level_crossing_rate_hz(fading, rho, doppler_hz)

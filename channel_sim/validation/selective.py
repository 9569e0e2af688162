"""Tapped delay lines: powers and delay spread of the standard's tables, correlation over frequency, effective SNR."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.settings import Profile, Radio, TappedDelayLine, Variation
from channel_sim.radio.tapped_delay import PROFILES, TappedDelayLineFading, frequency_response
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Frequency-selective fading"
NOTE = (
    "Profiles of 3GPP TR 38.901, tables 7.7.2-1 to 7.7.2-5: rms delay spread of the mean powers measured on 20,000 "
    "blocks (normalised, so 1), the correlation of two frequencies beside the Fourier transform of the table's "
    "powers, the K factor that the standard states for D and E, and the effective SNR of a flat profile, which is "
    "Rayleigh's: its outage beside 1 - exp(-threshold / mean), within 3 standard errors."
)

BLOCKS = Variation(block_s=1)
LINKS = 20_000
OFFSETS = (0.05, 0.2, 0.5)
"""Of frequency, in units of 1 / delay spread."""


def checks() -> list[Check]:
    """Each profile's delay spread and frequency correlation, K factors, and the flat limit."""
    rows = [check for profile in PROFILES for check in _profile_checks(profile)]
    stated_db: dict[Profile, float] = {"D": 13.3, "E": 22.0}
    for profile, k_db in stated_db.items():
        taps = PROFILES[profile]
        assert taps.los_db is not None
        rows.append(
            Check(f"dB, K factor of the first tap, TDL-{profile}", taps.los_db - taps.powers_db[0], k_db, 0.05, 1)
        )
    return [*rows, *_flat_checks()]


def _gains(profile: Profile) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Gains of one block, [LINKS, taps], and the delays in units of the delay spread, [taps]."""
    settings = TappedDelayLine(profile, 1e-6, 1e6, variation=BLOCKS)
    fading = TappedDelayLineFading(settings, None, 1e6, links=LINKS, seed=SeedSequence(6))
    return fading.gains(np.zeros(1))[:, :, 0], fading.delays_s / settings.delay_spread_s


def _profile_checks(profile: Profile) -> list[Check]:
    gains, delays = _gains(profile)
    powers = np.mean(np.abs(gains) ** 2, axis=0)
    mean_delay = np.average(delays, weights=powers)
    spread = math.sqrt(np.average((delays - mean_delay) ** 2, weights=powers))
    rows = [
        Check(f"total power, TDL-{profile}", float(powers.sum()), 1, 3 * math.sqrt(_power_variance(profile)), LINKS),
        Check(f"rms delay spread, TDL-{profile}", spread, 1, 0.03, LINKS),
    ]
    taps = PROFILES[profile]
    table = 10 ** (np.array(taps.powers_db) / 10)
    table[0] += 0 if taps.los_db is None else 10 ** (taps.los_db / 10)
    for offset in OFFSETS:
        response = frequency_response(gains[:, :, None], delays, np.array([0, offset]))[:, :, 0]
        correlation = abs(complex(np.mean(response[:, 0] * response[:, 1].conj())))
        expected = abs(complex(np.sum(table * np.exp(2j * np.pi * delays * offset)) / table.sum()))
        what = f"correlation of frequencies {offset:g} / delay spread apart, TDL-{profile}"
        rows.append(Check(what, correlation, expected, 3 / math.sqrt(LINKS), LINKS))
    return rows


def _power_variance(profile: Profile) -> float:
    """Of the total power averaged over all links: p^2 for a Rayleigh tap, p^2 + 2 p P for one with a steady power P."""
    taps = PROFILES[profile]
    powers = 10 ** (np.array(taps.powers_db) / 10)
    los = 0.0 if taps.los_db is None else 10 ** (taps.los_db / 10)
    return float((np.sum(powers**2) + 2 * powers[0] * los) / (powers.sum() + los) ** 2 / LINKS)


def _flat_checks() -> list[Check]:
    flat = TappedDelayLine("C", 0, 1e6, variation=BLOCKS)
    snr_db = RadioChannel(Radio(mean_snr_db=10, fading=flat), links=LINKS, seed=7).snr_db(np.arange(10.0))
    rows = []
    for threshold_db in (-5.0, 5.0, 10.0):
        outage = -math.expm1(-(10 ** ((threshold_db - 10) / 10)))
        three_errors = 3 * math.sqrt(outage * (1 - outage) / snr_db.size)
        measured = float(np.mean(snr_db < threshold_db))
        rows.append(
            Check(
                f"outage below {threshold_db:g} dB, TDL-C without delays", measured, outage, three_errors, snr_db.size
            )
        )
    return rows


def draw(figure: Figure) -> None:
    """Distribution of the effective SNR over bandwidths: the wider, the steadier."""
    axes = figure.subplots()
    shares = (np.arange(LINKS) + 0.5) / LINKS
    for bandwidth_hz in (10e3, 1e6, 5e6, 20e6):
        fading = TappedDelayLine("C", 300e-9, bandwidth_hz, variation=BLOCKS)
        snr_db = RadioChannel(Radio(mean_snr_db=10, fading=fading), links=LINKS, seed=8).snr_db(np.zeros(1))
        axes.plot(np.sort(snr_db[:, 0]), shares, label=f"{bandwidth_hz / 1e6:g} MHz")
    axes.set(
        xlabel="effective SNR (dB), mean 10 dB", ylabel="share below", yscale="log", xlim=(-15, 20), ylim=(1e-3, 1.1)
    )
    axes.set_title("TDL-C, delay spread 300 ns: effective SNR by capacity")
    axes.legend(fontsize="small")

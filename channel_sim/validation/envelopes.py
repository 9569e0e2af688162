"""Envelopes of flat fading against the Rayleigh, Rice and Nakagami distributions, and the outage that follows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.settings import Nakagami, Radio, Rayleigh, Rician, Variation
from channel_sim.radio.theory import FlatSettings, envelope_cdf, outage_probability
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Envelopes and outage"
NOTE = (
    "The Kolmogorov-Smirnov distance between the envelopes of 1,000 links at 100 times and the closed-form "
    "distribution, with a Clarke-Jakes spectrum (times 7.3 periods of the Doppler frequency apart) and with block "
    "fading; and the share of 10^6 blocks whose SNR is below a threshold, beside 1 - exp(-threshold / mean), within 3 "
    "standard errors."
)

LINKS, TIMES = 1000, 100
DOPPLER, BLOCKS = Variation(doppler_hz=1), Variation(block_s=1)
MEAN_SNR_DB = 10.0


def _families(variation: Variation) -> list[FlatSettings]:
    ricians = [Rician(k_db, variation=variation) for k_db in (0, 6, 12)]
    return [Rayleigh(variation), *ricians, *(Nakagami(m, variation) for m in (0.5, 0.8, 1.5, 4, 12))]


def checks() -> list[Check]:
    """Distances of all families, and Rayleigh's outage."""
    families = [fading for variation in (DOPPLER, BLOCKS) for fading in _families(variation)]
    distances = [Check(f"KS distance, {fading}", _distance(fading), 0, 0.02, LINKS * TIMES) for fading in families]
    return [*distances, *_outages()]


def _envelopes(fading: FlatSettings) -> NDArray[np.float64]:
    """Envelopes over their root mean square, sorted, [LINKS * TIMES]."""
    channel = RadioChannel(Radio(mean_snr_db=MEAN_SNR_DB, fading=fading), links=LINKS, seed=1)
    snr_db = channel.snr_db(np.linspace(0, 7.3 * (TIMES - 1), TIMES))
    return np.sort(10 ** ((snr_db.ravel() - MEAN_SNR_DB) / 20))


def _distance(fading: FlatSettings) -> float:
    envelopes = _envelopes(fading)
    cdf = envelope_cdf(fading, envelopes)
    steps = np.arange(len(envelopes) + 1) / len(envelopes)
    return float(max(np.max(steps[1:] - cdf), np.max(cdf - steps[:-1])))


def _outages() -> list[Check]:
    channel = RadioChannel(Radio(mean_snr_db=MEAN_SNR_DB, fading=Rayleigh(BLOCKS)), links=10_000, seed=2)
    snr_db = channel.snr_db(np.arange(100.0))
    rows = []
    for threshold_db in (-20.0, -10.0, 0.0, 7.0, 10.0):
        outage = float(outage_probability(Rayleigh(), np.array(threshold_db), MEAN_SNR_DB))
        three_errors = 3 * math.sqrt(outage * (1 - outage) / snr_db.size)
        what = f"outage below {threshold_db:g} dB at a mean of {MEAN_SNR_DB:g} dB, Rayleigh"
        rows.append(Check(what, float(np.mean(snr_db < threshold_db)), outage, three_errors, snr_db.size))
    return rows


def draw(figure: Figure) -> None:
    """Cumulative distributions, simulated and closed form, on scales where Rayleigh's deep fades are a line."""
    axes = figure.subplots()
    for fading in _families(DOPPLER)[::2]:
        envelopes = _envelopes(fading)
        shares = (np.arange(len(envelopes)) + 0.5) / len(envelopes)
        level_db = 20 * np.log10(envelopes)
        shown = np.unique(np.geomspace(1, len(envelopes), 60).astype(int)) - 1
        (line,) = axes.plot(level_db[shown], shares[shown], "o", markersize=3)
        rho_db = np.linspace(-35, 8, 300)
        axes.plot(rho_db, envelope_cdf(fading, 10 ** (rho_db / 20)), color=line.get_color(), label=str(fading))
    axes.set(xlabel="envelope over its rms (dB)", ylabel="share below", yscale="log", xlim=(-35, 8), ylim=(1e-4, 1.1))
    axes.set_title("Envelopes: simulated (dots) and closed form (lines)")
    axes.legend(fontsize="small")

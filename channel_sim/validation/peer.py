"""Side by side with Sionna, NVIDIA's link-level simulator, where it is installed: block fading and TDL-C."""

from __future__ import annotations

import math
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.fading import FlatFading
from channel_sim.radio.path_loss import SPEED_OF_LIGHT_MPS
from channel_sim.radio.settings import Rayleigh, TappedDelayLine, Variation
from channel_sim.radio.tapped_delay import TappedDelayLineFading, capacity_snr, frequency_response
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INSTALLED = find_spec("sionna") is not None
TITLE = "Side by side with Sionna"
NOTE = (
    "Gains drawn by Sionna (`sionna-no-rt`: RayleighBlockFading, and TDL-C with a delay spread of 300 ns at a Doppler "
    "frequency of 50 Hz) and by us. Distributions are compared by the two-sample Kolmogorov-Smirnov distance, whose "
    "tolerance is its critical value at a level of 1 %; the envelope of TDL-C is that at the carrier, its effective "
    "SNR that by capacity over 10 MHz at a mean of 10 dB, computed from either's taps by the same function. "
    "Correlations lie within 3 standard errors of a difference of two."
    + ("" if INSTALLED else " Not run here: Sionna is not installed (the extra `sionna` of this project).")
)

BLOCKS, LINKS = 100_000, 20_000
DELAY_SPREAD_S, DOPPLER_HZ, BANDWIDTH_HZ, MEAN_SNR = 300e-9, 50.0, 10e6, 10.0
LAG_S = 0.2 / DOPPLER_HZ
CARRIER_HZ = 2e9
SEED = 10

Complexes = NDArray[np.complex128]
Floats = NDArray[np.float64]


def checks() -> list[Check]:
    """Comparisons of the two simulators; none where Sionna is not installed."""
    if not INSTALLED:
        return []
    theirs, delays_s = _their_taps()
    ours = _our_taps()
    return [
        _same_distribution("envelope of Rayleigh blocks", np.abs(_our_blocks()), np.abs(_their_blocks())),
        _same_distribution("envelope of TDL-C", *(np.abs(taps[..., 0].sum(axis=1)) for taps in (ours, theirs))),
        _same_distribution("effective SNR of TDL-C", *(_effective_snr(taps, delays_s) for taps in (ours, theirs))),
        _same_correlation("TDL-C 4 ms apart", *(taps.sum(axis=1).T for taps in (ours, theirs))),
        _same_correlation("TDL-C 1 MHz apart", *(_two_frequencies(taps, delays_s) for taps in (ours, theirs))),
    ]


def _our_blocks() -> Complexes:
    fading = FlatFading(Rayleigh(Variation(block_s=1)), None, links=BLOCKS, seed=SeedSequence(SEED))
    return fading.gains(np.zeros(1))[:, 0]


def _their_blocks() -> Complexes:
    from sionna.phy import config
    from sionna.phy.channel import RayleighBlockFading

    config.seed = SEED
    gains, _ = RayleighBlockFading(num_rx=1, num_rx_ant=1, num_tx=1, num_tx_ant=1)(BLOCKS, 1)
    return np.asarray(gains.cpu().numpy(), dtype=np.complex128).reshape(BLOCKS)


def _our_taps() -> Complexes:
    """Gains at two times, LAG_S apart, [LINKS, taps, 2]."""
    settings = TappedDelayLine("C", DELAY_SPREAD_S)
    fading = TappedDelayLineFading(settings, DOPPLER_HZ, BANDWIDTH_HZ, links=LINKS, seed=SeedSequence(SEED))
    return fading.gains(np.array([0, LAG_S]))


def _their_taps() -> tuple[Complexes, Floats]:
    """The same by Sionna, and its delays in seconds, [taps]."""
    from sionna.phy import config
    from sionna.phy.channel.tr38901 import TDL

    config.seed = SEED
    speed_mps = DOPPLER_HZ * SPEED_OF_LIGHT_MPS / CARRIER_HZ
    line = TDL("C", DELAY_SPREAD_S, CARRIER_HZ, min_speed=speed_mps)
    gains, delays = line(LINKS, 2, 1 / LAG_S)
    delays_s = np.asarray(delays.cpu().numpy(), dtype=np.float64).reshape(LINKS, -1)[0]
    return np.asarray(gains.cpu().numpy(), dtype=np.complex128).reshape(LINKS, len(delays_s), 2), delays_s


def _effective_snr(taps: Complexes, delays_s: Floats) -> Floats:
    frequencies_hz = np.linspace(-0.5, 0.5, 48) * BANDWIDTH_HZ
    response = frequency_response(taps[..., :1], delays_s, frequencies_hz)
    return capacity_snr(MEAN_SNR * np.abs(response[..., 0]) ** 2, axis=1)


def _two_frequencies(taps: Complexes, delays_s: Floats) -> Complexes:
    return frequency_response(taps[..., :1], delays_s, np.array([0, 1e6]))[..., 0].T


def _same_distribution(what: str, ours: Floats, theirs: Floats) -> Check:
    from scipy.stats import ks_2samp

    critical = 1.63 * math.sqrt(1 / len(ours) + 1 / len(theirs))
    distance = float(ks_2samp(ours, theirs, method="asymp").statistic)
    return Check(f"KS distance from Sionna, {what}", distance, 0, critical, len(ours))


def _same_correlation(what: str, ours: Complexes, theirs: Complexes) -> Check:
    """Of two gains on each link, [2, LINKS]; the real part, since both models are symmetrical or nearly so."""
    measured, expected = (float(np.mean(first * second.conj()).real) for first, second in (ours, theirs))
    return Check(
        f"correlation beside Sionna's, {what}", measured, expected, 3 * math.sqrt(2 / len(ours[0])), len(ours[0])
    )


def draw(figure: Figure) -> None:
    """Distributions of the effective SNR, ours and, where it is installed, Sionna's."""
    axes = figure.subplots()
    shares = (np.arange(LINKS) + 0.5) / LINKS
    settings = TappedDelayLine("C", DELAY_SPREAD_S)
    delays_s = TappedDelayLineFading(settings, DOPPLER_HZ, BANDWIDTH_HZ, links=1, seed=SeedSequence(SEED)).delays_s
    axes.plot(10 * np.log10(np.sort(_effective_snr(_our_taps(), delays_s))), shares, label="channel_sim")
    if INSTALLED:
        theirs = np.sort(_effective_snr(*_their_taps()))
        axes.plot(10 * np.log10(theirs), shares, "--", label="Sionna")
    axes.set(xlabel="effective SNR (dB), TDL-C, mean 10 dB", ylabel="share below", yscale="log", ylim=(1e-3, 1.1))
    axes.legend(fontsize="small")

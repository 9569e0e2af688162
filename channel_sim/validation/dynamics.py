"""Fading over time: autocorrelation against J0, level crossing rates and fade durations against their closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.fading import FlatFading
from channel_sim.radio.settings import Nakagami, Rayleigh, Rician, Variation
from channel_sim.radio.theory import FlatSettings, level_crossing_rate_hz, mean_fade_duration_s
from channel_sim.validation.check import Check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLE = "Fading over time"
NOTE = (
    "The autocorrelation of the complex gain over lags up to 3 periods of the Doppler frequency, of one link over "
    "2,000 periods and of 200 links over 100 periods, beside J0(2 pi f_D tau): the largest absolute difference. "
    "Crossings into fades and the time spent in them, counted on 100 links over 100 periods at 200 samples a period, "
    "within 5 % of the closed forms (Rician with its strong path at right angles to the motion, Nakagami with 2 m a "
    "whole number)."
)

DOPPLER_HZ = 1.0
VARIATION = Variation(doppler_hz=DOPPLER_HZ)
LINKS, DURATION_S, STEP_S = 100, 100.0, 0.005
FADES: tuple[tuple[FlatSettings, tuple[float, ...]], ...] = (
    (Rayleigh(VARIATION), (0.1, 0.3, 0.5, 1.0, 1.4)),
    (Rician(3, variation=VARIATION), (0.3, 0.5, 1.0, 1.4)),
    (Nakagami(0.5, VARIATION), (0.1, 0.3, 0.5, 1.0, 1.4)),
    (Nakagami(1.5, VARIATION), (0.3, 0.5, 1.0, 1.4)),
    (Nakagami(3, VARIATION), (0.5, 1.0, 1.4)),
)
"""Families and the levels, over the rms, at which at least a thousand crossings are expected."""


def checks() -> list[Check]:
    """Autocorrelation, then rates and durations of every family at every level."""
    return [
        _autocorrelation_check("one link", links=1, duration_s=2000),
        _autocorrelation_check("200 links", links=200, duration_s=100),
        *(check for fading, levels in FADES for check in _fade_checks(fading, levels)),
    ]


def autocorrelation(*, links: int, duration_s: float, step_s: float = 0.02) -> NDArray[np.complex128]:
    """Of Rayleigh gains at lags of 0, step_s, ... up to 3 periods, averaged over links and time, [lags]."""
    times_s = np.arange(0, duration_s, step_s)
    gains = FlatFading(Rayleigh(VARIATION), DOPPLER_HZ, links=links, seed=SeedSequence(3)).gains(times_s)
    lags = range(round(3 / DOPPLER_HZ / step_s) + 1)
    return np.array([np.mean(gains[:, lag:] * gains[:, : len(times_s) - lag].conj()) for lag in lags])


def _autocorrelation_check(whose: str, *, links: int, duration_s: float) -> Check:
    from scipy.special import j0

    measured = autocorrelation(links=links, duration_s=duration_s)
    expected = j0(2 * np.pi * DOPPLER_HZ * 0.02 * np.arange(len(measured)))
    worst = float(np.max(np.abs(measured - expected)))
    return Check(f"autocorrelation less J0 at its worst, {whose}", worst, 0, 0.03, round(links * duration_s / 0.02))


def _crossings_and_share(fading: FlatSettings, levels: tuple[float, ...]) -> list[tuple[int, float]]:
    """How many fades begin, and the share of time spent in them, at each level."""
    times_s = np.arange(0, DURATION_S, STEP_S)
    channel = FlatFading(fading, DOPPLER_HZ, links=LINKS, seed=SeedSequence(4))
    envelopes = np.abs(channel.gains(times_s))
    results = []
    for level in levels:
        faded = envelopes < level
        results.append((int(np.sum(faded[:, 1:] & ~faded[:, :-1])), float(faded.mean())))
    return results


def _fade_checks(fading: FlatSettings, levels: tuple[float, ...]) -> list[Check]:
    rows = []
    for level, (crossings, share) in zip(levels, _crossings_and_share(fading, levels), strict=True):
        rate_hz = crossings / (LINKS * DURATION_S)
        expected_hz = float(level_crossing_rate_hz(fading, np.array(level), DOPPLER_HZ))
        expected_s = float(mean_fade_duration_s(fading, np.array(level), DOPPLER_HZ))
        where = f"at {level:g} of the rms, {fading}"
        rows += [
            Check(f"crossings a second {where}", rate_hz, expected_hz, 0.05 * expected_hz, crossings),
            Check(f"mean fade in seconds {where}", share / rate_hz, expected_s, 0.05 * expected_s, crossings),
        ]
    return rows


def draw(figure: Figure) -> None:
    """Autocorrelation of a single link on the left, crossing rates on the right."""
    from scipy.special import j0

    left, right = figure.subplots(1, 2)
    measured = autocorrelation(links=1, duration_s=2000)
    lags = 0.02 * np.arange(len(measured))
    left.plot(lags, j0(2 * np.pi * lags), label="J0")
    left.plot(lags, measured.real, "o", markersize=2, label="one link")
    left.set(xlabel="lag (periods of the Doppler frequency)", ylabel="autocorrelation")
    left.legend(fontsize="small")
    rho = np.linspace(0.02, 2.2, 200)
    for fading, levels in FADES:
        (line,) = right.plot(rho, level_crossing_rate_hz(fading, rho, 1.0), label=str(fading).split(", Doppler")[0])
        rates = [crossings / (LINKS * DURATION_S) for crossings, _ in _crossings_and_share(fading, levels)]
        right.plot(levels, rates, "o", markersize=4, color=line.get_color())
    right.set(xlabel="level over the rms", ylabel="crossings a period of the Doppler frequency")
    right.legend(fontsize="small")

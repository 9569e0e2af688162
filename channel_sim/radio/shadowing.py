"""Log-normal shadowing: Gaussian in dB, with a correlation that falls exponentially over the distance travelled."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.settings import Shadowing
from channel_sim.radio.sinusoids import SumOfSinusoids

Floats = NDArray[np.float64]

SINUSOIDS = 256


class ShadowingProcess:
    """Levels with E[S(x) S(x + d)] = deviation^2 exp(-|d| / correlation distance), independent from link to link.

    M. Gudmundson, "Correlation model for shadow fading in mobile radio systems", Electronics Letters, 1991. The
    spatial spectrum of that correlation is Cauchy's distribution; the sinusoids' frequencies are evenly spaced
    quantiles of it.
    """

    def __init__(self, settings: Shadowing, *, links: int, seed: SeedSequence) -> None:
        quantiles = (np.arange(SINUSOIDS) + 0.5) / SINUSOIDS
        radians_per_m = np.tan(np.pi / 2 * quantiles) / settings.correlation_m
        self._sum = SumOfSinusoids(
            radians_per_m / (2 * np.pi), links=links, processes=1, rng=np.random.default_rng(seed)
        )
        self._deviation_db = settings.deviation_db

    def level_db(self, travelled_m: Floats) -> Floats:
        """What shadowing adds to the SNR after these ways, [T] or [links, T] -> [links, T], in dB; zero on average."""
        levels: Floats = self._deviation_db * math.sqrt(2) * self._sum.at(travelled_m)[:, 0].real
        return levels

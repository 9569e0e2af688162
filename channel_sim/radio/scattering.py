"""Scattered signals, the sum of many weak paths: complex Gaussian gains of unit mean power over time."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.sinusoids import SumOfSinusoids

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


PATHS = 65
"""Of one process: its envelope's distribution is then within 0.003 of Rayleigh's."""


class Scattering(Protocol):
    """Independent processes on independent links; the first links are the same however many there are."""

    def gains(self, times_s: Floats) -> Complexes:
        """Complex gains at these times, [T] or each link's own [links, T] -> [links, processes, T]."""
        ...


class ClarkeJakes:
    """Paths that arrive from all around a moving receiver: autocorrelation J0(2 pi f_D tau).

    R. H. Clarke, "A statistical theory of mobile-radio reception", 1968. Evenly spaced angles of arrival
    give the autocorrelation to many digits over the first `PATHS` / 2 pi periods of the Doppler frequency. With an odd
    number of them, an eighth of a step off the motion, no two have the same Doppler shift, nor opposite ones.
    """

    def __init__(self, doppler_hz: float, *, links: int, processes: int, seed: SeedSequence) -> None:
        angles = 2 * np.pi * (np.arange(PATHS) + 1 / 8) / PATHS
        rng = np.random.default_rng(seed)
        self._sum = SumOfSinusoids(doppler_hz * np.cos(angles), links=links, processes=processes, rng=rng)

    def gains(self, times_s: Floats) -> Complexes:
        return self._sum.at(times_s)


class IndependentBlocks:
    """Block fading: constant for `block_s`, then independent of all before.

    A block's gains come from a counter-based generator (J. K. Salmon et al., "Parallel random numbers: as easy as
    1, 2, 3", 2011) at the block's own number, so that blocks can be drawn in any order.
    """

    def __init__(self, block_s: float, *, links: int, processes: int, seed: SeedSequence) -> None:
        self._block_s = block_s
        self._shape = (links, processes, 2)
        self._key = seed.generate_state(2, np.uint64)

    def gains(self, times_s: Floats) -> Complexes:
        blocks, which = np.unique(np.floor(times_s / self._block_s).astype(np.uint64), return_inverse=True)
        drawn = np.empty((*self._shape[:2], len(blocks)), dtype=np.complex128)
        for index, block in enumerate(blocks):
            counter = np.array([0, 0, 0, block], dtype=np.uint64)
            gaussian = Generator(Philox(key=self._key, counter=counter)).standard_normal(self._shape)
            drawn[..., index] = gaussian[..., 0] + 1j * gaussian[..., 1]
        which = np.broadcast_to(which.reshape(times_s.shape), (self._shape[0], times_s.shape[-1]))
        scattered: Complexes = np.take_along_axis(drawn, which[:, None, :], axis=2) / math.sqrt(2)
        return scattered

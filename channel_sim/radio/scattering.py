"""Scattered signals, the sum of many weak paths: complex Gaussian gains of unit mean power over time."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.sinusoids import SumOfSinusoids, stratified

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


class Scattering(Protocol):
    """Independent processes on independent links; the first links are the same however many there are."""

    def gains(self, times_s: Floats) -> Complexes:
        """Complex gains at these times, [T] -> [links, processes, T]."""
        ...


class ClarkeJakes:
    """Paths that arrive from all around a moving receiver: autocorrelation J0(2 pi f_D tau).

    R. H. Clarke, "A statistical theory of mobile-radio reception", 1968; one angle of arrival is drawn at random from
    each of N equal sectors, so that a single link too comes close to the autocorrelation over a few periods.
    """

    def __init__(self, doppler_hz: float, *, links: int, processes: int, sinusoids: int, seed: SeedSequence) -> None:
        rng = np.random.default_rng(seed)
        shape = (processes, sinusoids)
        draws = [(stratified(rng, shape), rng.random(shape)) for _ in range(links)]
        angles, phases = (np.stack(drawn) for drawn in zip(*draws, strict=True))
        self._sum = SumOfSinusoids(doppler_hz * np.cos(2 * np.pi * angles), phases)

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
        scattered: Complexes = drawn[..., which] / np.sqrt(2)
        return scattered

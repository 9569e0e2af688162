"""Stationary random processes as sums of sinusoids: any time may be asked for, in any order, at the same cost."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]

_ELEMENTS_AT_ONCE = 2**19
"""Few enough for the processor's cache."""


class SumOfSinusoids:
    """Complex processes of unit power, z(x) = sum over n of exp(2 pi j (f_n x + p_n)) / sqrt(N).

    With random phases z is circularly symmetric and, for N of a few tens, Gaussian but for errors of order 1 / N; its
    autocorrelation is the Fourier transform of the law that the frequencies were drawn from. All amplitudes are equal:
    the mean power over time is then one for each single process, not only on average over many.

    Args:
        frequencies: in cycles per unit of x, [..., N].
        phases: in cycles, [..., N].
    """

    def __init__(self, frequencies: Floats, phases: Floats) -> None:
        self._frequencies = frequencies[..., None, :]
        self._phases = phases[..., None, :]

    def at(self, x: Floats) -> Complexes:
        """The processes at these x, [T] -> [..., T]. A value does not depend on what else is asked for."""
        *processes, _, sinusoids = self._frequencies.shape
        values = np.empty((*processes, len(x)), dtype=np.complex128)
        step = max(1, _ELEMENTS_AT_ONCE // (math.prod(processes) * sinusoids))
        for start in range(0, len(x), step):
            some = slice(start, start + step)
            cycles = self._frequencies * x[some, None] + self._phases
            cycles -= np.floor(cycles)
            # The whole cycles are gone, so single precision (an error of 1e-7) is enough and many times faster.
            angles = (2 * np.pi * cycles).astype(np.float32)
            values.real[..., some] = np.cos(angles).sum(axis=-1)
            values.imag[..., some] = np.sin(angles).sum(axis=-1)
        values /= math.sqrt(sinusoids)
        return values


def stratified(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Uniform numbers in [0, 1), one in each of N equal strata, [..., N] for a shape (..., N)."""
    return (np.arange(shape[-1]) + rng.random(shape)) / shape[-1]

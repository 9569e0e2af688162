"""Stationary random processes as sums of sinusoids: any time may be asked for, in any order, at the same cost."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


_ELEMENTS_AT_ONCE = 2**16
"""Few enough for a processor's cache, which makes links with times of their own three times as fast."""


class SumOfSinusoids:
    """Independent complex processes of unit power, z(x) = sum over n of exp(2 pi j (f_n x + p_n)) / sqrt(N).

    All share the frequencies; random phases of their own make them independent, circularly symmetric and, for N of a
    few tens, Gaussian but for errors of order 1 / N. The autocorrelation is the mean of exp(2 pi j f_n x), for a single
    process over a long time as for many at one time.

    Args:
        frequencies: in cycles per unit of x, all different, [N].
        links: how many rows of processes; the first rows are the same however many there are.
        processes: in each row.
        rng: draws the phases.
    """

    def __init__(self, frequencies: Floats, *, links: int, processes: int, rng: np.random.Generator) -> None:
        count = len(frequencies)
        self._frequencies = frequencies[:, None]
        self._phasors: Complexes = np.exp(2j * np.pi * rng.random((links, processes, count))) / math.sqrt(count)

    def at(self, x: Floats) -> Complexes:
        """The processes at these x, [T] or each link's own [links, T] -> [links, processes, T].

        But for rounding, a value does not depend on what else is asked for.
        """
        if x.ndim == 1:
            together: Complexes = self._phasors @ _waves(self._frequencies * x)
            return together
        values = np.empty((*self._phasors.shape[:2], x.shape[-1]), dtype=np.complex128)
        step = max(1, _ELEMENTS_AT_ONCE // (len(self._frequencies) * max(1, x.shape[-1])))
        for start in range(0, len(x), step):
            some = slice(start, start + step)
            values[some] = self._phasors[some] @ _waves(self._frequencies * x[some, None, :])
        return values


def _waves(cycles: Floats) -> NDArray[np.complex64]:
    """exp(2 pi j cycles), to 3e-7: once whole cycles are gone, single precision does, and is ten times as fast."""
    angles = (2 * np.pi * (cycles - np.floor(cycles))).astype(np.float32)
    waves = np.empty(cycles.shape, dtype=np.complex64)
    waves.real, waves.imag = np.cos(angles), np.sin(angles)
    return waves

"""How many packets of each block are still needed, jointly with the state of the loss chain, while a plan grows.

Legend: B blocks, M = 1 + the most sources of a block, J numbers of packets to look ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel

Floats = NDArray[np.float64]

AHEAD = (1, 2, 3, 4, 6, 8, 12, 16)
"""Numbers of parity packets whose joint gain is looked at: one alone often restores nothing."""


class Odds:
    """The exact distribution of what each block lacks, advanced slot by slot by the Gilbert-Elliott chain.

    For every block and every (state of the chain, packets still needed) it holds the probability, and the expected
    distortion of the sources that are missing there: a source is there from its own arrival on, all of them once no
    packet is needed.
    """

    def __init__(self, model: LossModel, distortions: Sequence[Floats]) -> None:
        """`distortions`: what each source of each block removes, B arrays of [k]."""
        most = max(len(own) for own in distortions)
        self._loss, self._memory = model.loss, 1 - model.to_good - model.to_bad
        self._step = _transitions(model)
        self._enough_ahead = _enough_ahead(model, most)
        # [0: probability, 1: distortion; block; good, bad; packets needed]
        self._state = np.zeros((2, len(distortions), 2, most + 1))
        for block, own in enumerate(distortions):
            self._state[:, block, :, len(own)] = np.outer([1.0, own.sum()], [1 - model.loss, model.loss])
        self._total = np.array([max(float(own.sum()), 1e-300) for own in distortions])
        self._begun = False

    def send(self, block: int, distortion: float | None) -> None:
        """One more slot: a source of a block, and the distortion that it removes; None for a parity packet."""
        if self._begun:
            self._state = self._step @ self._state
        self._begun = True
        good = self._state[:, block, 0]
        if distortion is not None:
            good[1] -= distortion * good[0]
        good[:, 0] += good[:, 1]
        good[:, 1:-1] = good[:, 2:].copy()
        good[:, -1] = 0
        good[1, 0] = 0

    def observe(self, *, arrived: bool) -> None:
        """The fate of the packet in the last slot became known."""
        impossible = 1 if arrived else 0
        total = self._state[0, :, 1 - impossible].sum(axis=1)
        if total.min() > 0:
            self._state[:, :, impossible] = 0
            self._state /= total[:, None, None]

    def complete(self, block: int) -> None:
        """It became known that nothing of this block is needed any more."""
        self._state[0, block, :, 0] = self._state[0, block].sum(axis=1)
        self._state[0, block, :, 1:] = 0
        self._state[1, block] = 0

    def present(self) -> Floats:
        """Expected share of each block's distortion that is removed, [B]."""
        present: Floats = 1 - self._state[1].sum(axis=(1, 2)) / self._total
        return present

    def missing(self) -> Floats:
        """Expected distortion missing in each state of each block, [B, 2, M]; 0 where a state is impossible."""
        probability, distortion = self._state
        return np.divide(distortion, probability, out=np.zeros_like(distortion), where=probability > 1e-12)

    def gains(self, worth: Floats) -> Floats:
        """Expected worth that the next 1, 2, .. (`AHEAD`) slots restore if all are parity of one block, [B, J].

        Args:
            worth: of what is missing in each state of each block, [B, 2, M].
        """
        expected = self._state[0] * worth
        gains: Floats = expected.reshape(len(expected), -1) @ self._enough_ahead
        return gains

    def probability_after(self, block: int, gaps: Sequence[int]) -> float:
        """Probability that a block is decodable after further parity, each so many slots after the packet before."""
        good, bad = self._state[0, block].copy()
        for gap in gaps:
            decay, total = self._memory**gap, good + bad
            good = (1 - self._loss) * (1 - decay) * total + decay * good
            bad = total - good
            good[0] += good[1]
            good[1:-1], good[-1] = good[2:].copy(), 0
        return float(good[0] + bad[0])


def _transitions(model: LossModel) -> Floats:
    """Probability of the state in the next slot, good or bad, given that in this one, [2, 2]."""
    return np.array([[1 - model.to_bad, model.to_good], [model.to_bad, 1 - model.to_good]])


@lru_cache(maxsize=32)
def _enough_ahead(model: LossModel, most: int) -> Floats:
    """Probability that of the next slots as many packets arrive as are needed, [2 * (most + 1), J].

    Rows: the state of the chain now, packets needed; where none is needed 0, as nothing can be gained.
    """
    enough = np.zeros((2, most + 1, len(AHEAD)))
    reach = min(most, AHEAD[-1])
    for now in range(2):
        counts = np.zeros((2, AHEAD[-1] + 1))  # state, packets arrived
        counts[now, 0] = 1
        for packets in range(1, AHEAD[-1] + 1):
            counts = _transitions(model) @ counts
            counts[0, 1:], counts[0, 0] = counts[0, :-1].copy(), 0
            if packets in AHEAD:
                at_least = counts.sum(axis=0)[::-1].cumsum()[::-1]
                enough[now, 1 : reach + 1, AHEAD.index(packets)] = at_least[1 : reach + 1]
    return enough.reshape(2 * (most + 1), len(AHEAD))

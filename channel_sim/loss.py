"""Seeded packet loss: fates drawn from the Gilbert-Elliott chain of `progressive.loss_model`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel


def draw_trials(model: LossModel, trials: int, packets: int, *, seed: int) -> NDArray[np.bool_]:
    """Fates of `packets` packets in a row in each of `trials` independent runs, [trials, packets], True = lost.

    Each run starts in the chain's stationary state.
    """
    rng = np.random.default_rng(seed)
    starts: NDArray[np.bool_] = rng.random(trials) < model.loss
    return _advance(model, starts, rng.random((trials, packets)))


class LossProcess:
    """The fates of one packet after another on one link.

    The sequence of fates depends on the model and the seed alone, not on whether they are drawn singly or many at once.
    """

    def __init__(self, model: LossModel, *, seed: int | np.random.SeedSequence) -> None:
        self.model = model
        self._rng = np.random.default_rng(seed)
        self._lost = bool(self._rng.random() < model.loss)

    def draw(self, packets: int) -> NDArray[np.bool_]:
        """Fates of the next packets, [packets], True = lost."""
        fates = _advance(self.model, np.array([self._lost]), self._rng.random((1, packets))).reshape(packets)
        if packets:
            self._lost = bool(fates[-1])
        return fates

    def next_is_lost(self) -> bool:
        """Fate of the next packet."""
        return bool(self.draw(1)[0])


def _advance(model: LossModel, before: NDArray[np.bool_], uniforms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Steps chains through uniforms in [0, 1), [chains, steps], from their states before the first step, [chains].

    A uniform below both of the chain's probabilities of turning or staying bad makes the next state bad whatever the
    present one is, and one above both makes it good; only those in between keep the state (or flip it, in a chain with
    negative memory). The state is thus that of the latest deciding step and the number of flips since: no loop.
    """
    stay_bad = 1 - model.to_good
    low, high = sorted((model.to_bad, stay_bad))
    chains, steps = uniforms.shape
    decided = np.ones((chains, steps + 1), dtype=np.bool_)
    decided[:, 1:] = (uniforms < low) | (uniforms >= high)
    bad = np.concatenate([before[:, None], uniforms < low], axis=1)
    latest = np.maximum.accumulate(np.where(decided, np.arange(steps + 1), 0), axis=1)
    states: NDArray[np.bool_] = np.take_along_axis(bad, latest, axis=1)
    if stay_bad < model.to_bad:
        states ^= (np.arange(steps + 1) - latest) % 2 == 1
    after: NDArray[np.bool_] = states[:, 1:]
    return after

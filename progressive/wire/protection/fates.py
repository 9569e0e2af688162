"""Fates of the packets of a plan, as joint as the chain makes them: all if they are few, else a drawn sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel

MOST_ENUMERATED = 8
"""Slots up to which every fate is taken with its exact probability."""

SAMPLE = 256
"""Fates drawn for more slots than that."""


@dataclass(frozen=True, slots=True)
class Fates:
    """What may become of the packets in some slots.

    Fields:
        lost: which are lost, [F, N].
        weight: probability of each fate, [F]; they add up to 1.
    """

    lost: NDArray[np.bool_]
    weight: NDArray[np.float64]


def fates_of(model: LossModel, slots: int, known: Sequence[bool | None] = ()) -> Fates:
    """The fates of `slots` consecutive packets; of the first ones some may be `known` (True: arrived, None: unknown).

    Up to `MOST_ENUMERATED` slots all of them. Beyond, `SAMPLE` fates drawn from the chain given what is known,
    stratified: at each slot the uniforms that decide are one from each of `SAMPLE` equal parts of 0..1 (Latin hypercube
    sampling; McKay, Beckman and Conover 1979), so that the mean loss is met. The same arguments give the same fates.
    """
    if slots <= MOST_ENUMERATED:
        return _enumerated(model, slots, tuple(known))
    if any(fate is not None for fate in known):
        return _drawn(model, slots, tuple(known))
    length = -(-slots // 32) * 32  # plans of similar lengths share their fates
    return Fates(_drawn_before(model, length).lost[:, :slots], _drawn_before(model, length).weight)


@lru_cache(maxsize=8)
def _drawn_before(model: LossModel, slots: int) -> Fates:
    return _drawn(model, slots, ())


def _enumerated(model: LossModel, slots: int, known: Sequence[bool | None]) -> Fates:
    lost = np.arange(2**slots)[:, None] >> np.arange(slots) & 1 == 1
    weight = np.ones(len(lost))
    for slot in range(slots):
        bad = model.loss if slot == 0 else np.where(lost[:, slot - 1], 1 - model.to_good, model.to_bad)
        weight *= np.where(lost[:, slot], bad, 1 - bad)
        if slot < len(known) and known[slot] is not None:
            weight *= lost[:, slot] != known[slot]
    possible = weight > 0
    if not possible.any():  # the model rules out what is known to have happened
        return _enumerated(model, slots, ())
    return Fates(lost[possible], weight[possible] / weight.sum())


def _drawn(model: LossModel, slots: int, known: Sequence[bool | None]) -> Fates:
    rng = np.random.default_rng(0)
    strata = rng.permuted(np.tile(np.arange(SAMPLE), (slots, 1)), axis=1)
    uniforms = (strata + rng.random((slots, SAMPLE))) / SAMPLE
    later = _likelihood_of_what_follows(model, slots, known)
    lost = np.empty((slots, SAMPLE), bool)
    for slot in range(slots):
        bad = model.loss if slot == 0 else np.where(lost[slot - 1], 1 - model.to_good, model.to_bad)
        given_lost, given_arrived = bad * later[slot, 1], (1 - bad) * later[slot, 0]
        total = given_lost + given_arrived
        lost[slot] = uniforms[slot] * total < given_lost
    return Fates(np.ascontiguousarray(lost.T), np.full(SAMPLE, 1 / SAMPLE))


def _likelihood_of_what_follows(model: LossModel, slots: int, known: Sequence[bool | None]) -> NDArray[np.float64]:
    """Probability of what is known from each slot on if it is delivered, and if it is lost, [slots, 2], to a factor."""
    likelihood = np.ones((slots, 2))
    for slot in reversed(range(min(slots, len(known)))):
        if slot + 1 < slots:
            after = likelihood[slot + 1]
            likelihood[slot, 0] = (1 - model.to_bad) * after[0] + model.to_bad * after[1]
            likelihood[slot, 1] = model.to_good * after[0] + (1 - model.to_good) * after[1]
            likelihood[slot] /= max(likelihood[slot].max(), 1e-300)
        if known[slot] is not None:
            likelihood[slot, int(bool(known[slot]))] = 1e-12  # not 0: the model may be wrong about what happened
    return likelihood

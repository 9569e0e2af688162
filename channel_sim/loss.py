"""Seeded packet loss on two-state Markov chains: by packets, by the four classic parameters, or in time.

What differs between the models is how likely a chain turns or stays bad from one packet to the next, and what is lost
in each state; how chains advance is the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.bounds import check_range
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.units import format_percent, format_time

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_FATES_AT_ONCE = 2**17
"""Few enough for the processor's cache."""


@dataclass(frozen=True, slots=True)
class GilbertElliott:
    """The chain by its four classic parameters (Elliott, 1963; named as by Hasslinger and Hohlfeld, 2008).

    It advances by one step a packet. tc netem calls this `loss gemodel p r 1-h 1-k`.

    Fields:
        p: probability of turning from good to bad, 0..1.
        r: probability of turning from bad to good, 0..1; p and r are not both 0.
        h: probability that a packet is delivered in the bad state, 0..1; 0 is Gilbert's simple chain.
        k: probability that a packet is delivered in the good state, 0..1.
    """

    p: float
    r: float
    h: float = 0.0
    k: float = 1.0

    def __post_init__(self) -> None:
        for name in ("p", "r", "h", "k"):
            check_range(f"a Gilbert-Elliott parameter {name}", getattr(self, name), 0, 1)
        if self.p + self.r == 0:
            raise UsageError("a chain with p and r of 0 never leaves its first state: use more than 0 for one of them")

    @property
    def bad(self) -> float:
        """Share of the packets that meet the bad state."""
        return self.p / (self.p + self.r)

    @property
    def loss(self) -> float:
        """Mean share of packets lost."""
        return self.bad * (1 - self.h) + (1 - self.bad) * (1 - self.k)

    @property
    def burst(self) -> float:
        """Mean number of packets lost in a row; infinite if none is ever delivered, 0 if none is lost."""
        good_then_delivered = (1 - self.p) * self.k + self.p * self.h
        bad_then_delivered = self.r * self.k + (1 - self.r) * self.h
        ends = (1 - self.bad) * (1 - self.k) * good_then_delivered + self.bad * (1 - self.h) * bad_then_delivered
        return self.loss / ends if ends else math.inf if self.loss else 0.0

    def __str__(self) -> str:
        return f"Gilbert-Elliott losses (p {self.p:g}, r {self.r:g}, h {self.h:g}, k {self.k:g})"


@dataclass(frozen=True, slots=True)
class TimedBursts:
    """A chain in continuous time: whatever begins to be sent while it is bad is lost.

    A packet is lost with the same probability whatever its size and however far from the others it is sent. In a chain
    that advances packet by packet, small packets would see shorter bursts than large ones.

    Fields:
        loss: share of the time that is bad, 0 <= loss < 1.
        burst_s: mean time for which it is bad in a row, 1 us to 1 h.
    """

    loss: float
    burst_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.loss < 1:
            raise UsageError(f"a mean loss of {self.loss:.4g} is impossible: use 0 up to, not including, 1")
        check_range("a mean burst", self.burst_s, 1e-6, 3600, "s")

    def __str__(self) -> str:
        return f"loss {format_percent(self.loss)} in bursts of {format_time(self.burst_s)}"


LossSettings: TypeAlias = LossModel | GilbertElliott | TimedBursts


def draw_trials(
    settings: LossSettings, trials: int, packets: int | Floats, *, seed: int | SeedSequence
) -> NDArray[np.bool_]:
    """Fates of packets in a row in each of `trials` independent runs, [trials, packets], True = lost.

    Each run starts in the chain's stationary state.

    Args:
        settings: of the losses.
        trials: how many runs.
        packets: how many packets, or when each is sent, [packets] or [trials, packets] in seconds, never falling;
            bursts in time need this.
        seed: of all runs.
    """
    rng = np.random.default_rng(seed)
    bad: Bools = rng.random(trials) < _share_of_bad(settings)
    gaps_s = _gaps_s(settings, packets, 0.0)
    gaps_s = np.broadcast_to(gaps_s, (trials, gaps_s.shape[-1]))
    fates = np.empty(gaps_s.shape, dtype=np.bool_)
    for rows in _slices(trials, _FATES_AT_ONCE // max(1, gaps_s.shape[1])):
        fates[rows], _ = _draw(settings, bad[rows], gaps_s[rows], rng)
    return fates


class LossProcess:
    """The fates of one packet after another on one link.

    The sequence of fates depends on the settings, the seed and, for bursts in time, on when packets are sent, but not
    on whether they are drawn singly or many at once.
    """

    def __init__(self, settings: LossSettings, *, seed: int | SeedSequence) -> None:
        self.settings = settings
        self._rng = np.random.default_rng(seed)
        self._bad: Bools = self._rng.random(1) < _share_of_bad(settings)
        self._now_s = 0.0

    def draw(self, packets: int | Floats) -> Bools:
        """Fates of the next packets, [packets], True = lost.

        Args:
            packets: how many, or when each is sent, [packets] in seconds, never falling; bursts in time need this.
        """
        gaps_s = _gaps_s(self.settings, packets, self._now_s)[None]
        if gaps_s.size and not isinstance(packets, int | np.integer):
            self._now_s = float(packets[-1])
        fates = np.empty(gaps_s.shape, dtype=np.bool_)
        for some in _slices(gaps_s.size, _FATES_AT_ONCE):
            fates[:, some], self._bad = _draw(self.settings, self._bad, gaps_s[:, some], self._rng)
        return fates.reshape(-1)

    def next_is_lost(self, now_s: float) -> bool:
        """Fate of the next packet, sent at this time (never earlier than before), in seconds."""
        return bool(self.draw(np.array([now_s]))[0])


def _share_of_bad(settings: LossSettings) -> float:
    return settings.bad if isinstance(settings, GilbertElliott) else settings.loss


def _gaps_s(settings: LossSettings, packets: int | Floats, before_s: float) -> Floats:
    """Time since the packet before, [..., packets]; of no meaning where only their number is known."""
    if not isinstance(packets, int | np.integer):
        gaps_s = np.diff(np.asarray(packets, dtype=np.float64), axis=-1, prepend=before_s)
        if np.any(gaps_s < 0):
            raise UsageError("packets are sent one after another: give times that never fall")
        return gaps_s
    if isinstance(settings, TimedBursts):
        raise UsageError("bursts in time need to know when packets are sent: give their times, not their number")
    return np.zeros(packets)


def _slices(count: int, step: int) -> Iterator[slice]:
    step = max(1, step)
    return (slice(start, start + step) for start in range(0, count, step))


def _draw(settings: LossSettings, before: Bools, gaps_s: Floats, rng: Generator) -> tuple[Bools, Bools]:
    """Fates of the next packets of chains in these states, [chains] -> [chains, packets], and their states then."""
    shape = gaps_s.shape
    match settings:
        case LossModel():
            states = _advance(before, rng.random(shape), settings.to_bad, 1 - settings.to_good)
            fates = states
        case TimedBursts():
            # The chain forgets at the sum of its two rates, 1 / burst_s and loss / (1 - loss) / burst_s.
            memory = np.exp(-gaps_s / (settings.burst_s * (1 - settings.loss)))
            to_bad = settings.loss * (1 - memory)
            states = _advance(before, rng.random(shape), to_bad, to_bad + memory)
            fates = states
        case GilbertElliott():
            uniforms = rng.random((*shape, 2))
            states = _advance(before, uniforms[..., 0], settings.p, 1 - settings.r)
            fates = uniforms[..., 1] < np.where(states, 1 - settings.h, 1 - settings.k)
    return fates, states[:, -1] if gaps_s.size else before


def _advance(before: Bools, uniforms: Floats, to_bad: float | Floats, stay_bad: float | Floats) -> Bools:
    """Steps chains through uniforms in [0, 1), [chains, steps], from their states before the first step, [chains].

    A uniform below both of a step's probabilities of turning or staying bad makes the next state bad whatever the
    present one is, and one above both makes it good; only those in between keep the state (or flip it, in a chain with
    negative memory). The state is thus that of the latest deciding step and the number of flips since: no loop.
    """
    low, high = np.minimum(to_bad, stay_bad), np.maximum(to_bad, stay_bad)
    chains, steps = uniforms.shape
    decided = np.ones((chains, steps + 1), dtype=np.bool_)
    decided[:, 1:] = (uniforms < low) | (uniforms >= high)
    bad = np.concatenate([before[:, None], uniforms < low], axis=1)
    numbers = np.arange(steps + 1, dtype=np.int32)
    latest = np.maximum.accumulate(np.where(decided, numbers, 0), axis=1)
    states: Bools = np.take_along_axis(bad, latest, axis=1)
    if np.any(stay_bad < to_bad):
        states ^= (numbers - latest) % 2 == 1
    after: Bools = states[:, 1:]
    return after

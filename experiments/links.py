"""The links of all trials at once: packets go in one after another, each trial's at its own time.

The same seed gives every system the same links: the fate of the t-th packet where losses are counted in packets, and
the same fading where there is a radio channel.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.link import Fate, Link, LinkSettings
from channel_sim.loss import GilbertElliott, draw_trials
from channel_sim.modem.modem import ModemBank
from channel_sim.modem.settings import Modem
from channel_sim.radio.channel import RadioChannel
from progressive.loss_model import LossModel

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Sizes = NDArray[np.intp]


class Links(Protocol):
    """As many independent links as there are trials, F."""

    def send(self, begin_s: Floats, size_bytes: Sizes) -> Floats:
        """The next packet of every trial: when it arrives, [F] in seconds, infinite if it is lost.

        Args:
            begin_s: when each is offered, [F], never earlier than before.
            size_bytes: of each, [F].
        """
        ...


def open_links(settings: LinkSettings, trials: int, most_packets: int, *, seed: SeedSequence) -> Links:
    """Links for so many trials; fates are drawn for so many packets each, after which they begin anew."""
    loss_seed, radio_seed, other_seed = seed.spawn(3)
    if _single(settings):
        return _SingleLinks(settings, trials, other_seed)
    if settings.radio is not None:
        return _RadioLinks(settings, trials, radio_seed, _drawn(settings, trials, most_packets, loss_seed), other_seed)
    return LossyLinks(settings, _drawn(settings, trials, most_packets, loss_seed))


class LossyLinks:
    """Constant rate and delay, and fates of packets that were drawn or recorded before, True = lost, [F, packets]."""

    def __init__(self, settings: LinkSettings, lost: Bools) -> None:
        self._rate_bps, self._delay_s, self._lost = settings.rate_bps or math.inf, settings.delay_s, lost
        self._idle_s = np.zeros(len(lost))
        self._packet = 0

    def send(self, begin_s: Floats, size_bytes: Sizes) -> Floats:
        self._idle_s = np.maximum(begin_s, self._idle_s) + 8 * size_bytes / self._rate_bps
        lost = self._lost[:, self._packet % self._lost.shape[1]]
        self._packet += 1
        return np.where(lost, math.inf, self._idle_s + self._delay_s)


class _RadioLinks:
    """A modem over a radio channel, further losses, delay and jitter: all trials in one step."""

    def __init__(
        self, settings: LinkSettings, trials: int, radio_seed: SeedSequence, lost: Bools, jitter_seed: SeedSequence
    ) -> None:
        assert settings.radio is not None
        channel_seed, modem_seed = radio_seed.spawn(2)
        channel = RadioChannel(settings.radio, links=trials, seed=channel_seed)
        self._modem = ModemBank(settings.modem or Modem(), channel, seed=modem_seed)
        self._settings, self._lost = settings, lost
        self._jitter = np.random.default_rng(jitter_seed)
        self._idle_s = np.zeros(trials)
        self._packet = 0

    def send(self, begin_s: Floats, size_bytes: Sizes) -> Floats:
        start_s = np.maximum(begin_s, self._idle_s)
        sent = self._modem.transmit(start_s, int(size_bytes.max()))
        least_s = 8 * size_bytes / (self._settings.rate_bps or math.inf)
        self._idle_s = start_s + np.maximum(least_s, sent.duration_s)
        lost = sent.lost | self._lost[:, self._packet % self._lost.shape[1]]
        self._packet += 1
        jitter_s = self._jitter.uniform(0, self._settings.jitter_s, len(start_s))
        return np.where(lost, math.inf, self._idle_s + self._settings.delay_s + jitter_s)


class _SingleLinks:
    """Whatever a `Link` can do, trial by trial."""

    def __init__(self, settings: LinkSettings, trials: int, seed: SeedSequence) -> None:
        seeds = seed.generate_state(trials)
        self._links = [Link(settings, seed=int(own), start_s=0.0) for own in seeds]

    def send(self, begin_s: Floats, size_bytes: Sizes) -> Floats:
        arrivals = np.full(len(self._links), math.inf)
        for trial, (link, begin, size) in enumerate(
            zip(self._links, begin_s.tolist(), size_bytes.tolist(), strict=True)
        ):
            passage = link.carry(bytes(size), begin)
            if passage.fate is Fate.DELIVERED:
                arrivals[trial] = passage.arrivals[0][0]
        return arrivals


def _single(settings: LinkSettings) -> bool:
    """Whether there is something that only a `Link` can do."""
    others = settings.trace, settings.queue_bytes, settings.codel, settings.reordering, settings.bit_error_rate or None
    drawn = settings.loss is None or isinstance(settings.loss, LossModel | GilbertElliott)
    jitters = bool(settings.jitter_s) and settings.radio is None
    return others != (None,) * 5 or not drawn or jitters or bool(settings.further)


def _drawn(settings: LinkSettings, trials: int, packets: int, seed: SeedSequence) -> Bools:
    if settings.loss is None:
        return np.zeros((trials, 1), dtype=np.bool_)
    return draw_trials(settings.loss, trials, packets, seed=seed)

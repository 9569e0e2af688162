"""What systems believe of the losses that they meet: the truth, or half or twice as many of them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.link import LinkSettings
from channel_sim.loss import GilbertElliott
from channel_sim.spec import parse_channel
from experiments.case import Conditions
from experiments.links import open_links
from progressive.loss_model import LossModel

MOST_LOSS = 0.9
OBSERVED_LINKS = 256
"""Links that are listened to where losses follow from a radio channel, a trace or a queue."""


@lru_cache(maxsize=64)
def link_of(conditions: Conditions) -> LinkSettings:
    """The link; one without a rate of its own is as fast as the sender. Raises UsageError for an unknown channel."""
    settings = parse_channel(conditions.channel)
    return settings if settings.has_rate else replace(settings, rate_bps=conditions.bandwidth_bps)


def loses_by_packet(settings: LinkSettings) -> bool:
    """Whether losses are only those of a chain that counts packets."""
    others = settings.radio, settings.trace, settings.queue_bytes, settings.codel, settings.bit_error_rate or None
    by_packet = settings.loss is None or isinstance(settings.loss, LossModel | GilbertElliott)
    return others == (None,) * 5 and by_packet and not settings.further


@lru_cache(maxsize=64)
def believed_losses(conditions: Conditions, packet_size: int) -> LossModel:
    """The losses to plan for, packets of this size being sent: mean and burst of the true ones, times `assumed`."""
    settings = link_of(conditions)
    loss: float
    burst: float | None
    if not loses_by_packet(settings):
        loss, burst = _observed(conditions, packet_size)
    elif settings.loss is None:
        return LossModel(0.0)
    else:
        assert isinstance(settings.loss, LossModel | GilbertElliott)
        loss, burst = settings.loss.loss, settings.loss.burst
    return scaled(LossModel(loss, _possible(loss, burst)), conditions.assumed)


def scaled(model: LossModel, factor: float) -> LossModel:
    """So many times the losses in bursts of the same length, or as short as such losses permit."""
    loss = min(factor * model.loss, MOST_LOSS)
    return LossModel(loss, _possible(loss, model.burst))


def _possible(loss: float, burst: float | None) -> float | None:
    return None if burst is None else max(1.0, burst, loss / (1 - loss))


def observed_fates(conditions: Conditions, packet_size: int, trials: int, *, seed: SeedSequence) -> NDArray[np.bool_]:
    """Which packets of this size, paced to the bandwidth until the deadline, come too late or never, [trials, packets].

    With the true losses; so it is for the believed ones only if these are true.
    """
    settings = link_of(conditions)
    packets = max(2, conditions.budget_bytes // packet_size)
    links = open_links(settings, trials, packets, seed=seed)
    pace_s, sizes = 8 * packet_size / conditions.bandwidth_bps, np.full(trials, packet_size)
    last_s = conditions.deadline_s + settings.delay_s + settings.jitter_s
    arrivals = [links.send(np.full(trials, n * pace_s), sizes) for n in range(packets)]
    return np.asarray(np.stack(arrivals, axis=1) > last_s)


def _observed(conditions: Conditions, packet_size: int) -> tuple[float, float]:
    """Mean loss and burst."""
    lost = observed_fates(conditions, packet_size, OBSERVED_LINKS, seed=SeedSequence(0))
    bursts = int(lost[:, 0].sum() + (lost[:, 1:] & ~lost[:, :-1]).sum())
    return min(float(lost.mean()), MOST_LOSS), float(lost.sum()) / max(1, bursts)

"""Quality, redundancy, interleaving and packet size of a system, searched jointly on photos set aside, then frozen.

Every system knows of the channel what the planner knows: the same believed losses, whose fates it may try as often as
it likes. Two rounds: all combinations over a few trials, then the best over many.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.link import LinkSettings
from channel_sim.loss import draw_trials
from experiments.assumed_losses import believed_losses, link_of, loses_by_packet, observed_fates
from experiments.case import Conditions, Objective, Parameters, System
from experiments.deliveries import DELIVERIES
from experiments.links import LossyLinks
from experiments.photo_names import load_photo
from experiments.sources import find_source
from experiments.systems import LEAST_PACKET, PACKET_SIZES, attempt, material_of

FIRST_TRIALS = 64
FINALISTS = 12
LARGEST_SHARE = 1.5
"""Files that are larger than this many times the budget are not tried."""

Bools = NDArray[np.bool_]


def tune(
    system: System,
    conditions: Conditions,
    photos: Sequence[str],
    objective: Objective,
    trials: int,
    seed: int,
    cache: Path,
) -> Parameters:
    """The parameters of the greatest mean over tuning photos and trials, by what is believed of the channel.

    Args:
        system: whose parameters.
        conditions: they are for.
        photos: names of tuning photos, other ones than those of the cases to run.
        objective: mean PSNR over the time until the deadline (`area`), or at its end (`final`).
        trials: of each photo and combination in the second round.
        seed: of the packets' fates.
        cache: folder in which materials are kept.
    """
    candidates = combinations(system, conditions, photos, objective)
    for count, kept in ((min(FIRST_TRIALS, trials), FINALISTS), (trials, 1)):
        if len(candidates) > 1:
            values = [_mean(system, conditions, photos, p, count, seed, cache) for p in candidates]
            best = sorted(range(len(candidates)), key=lambda n: -values[n])[:kept]
            candidates = [candidates[n] for n in best]
    return candidates[0]


def combinations(
    system: System, conditions: Conditions, photos: Sequence[str], objective: Objective
) -> list[Parameters]:
    """Everything that is tried."""
    pixels = min(photo.shape[0] * photo.shape[1] for photo in map(load_photo, photos))
    most_bpp = LARGEST_SHARE * 8 * conditions.budget_bytes / pixels
    rates = find_source(system.source).rates_bpp
    fitting = [rate for rate in rates if rate is None or rate <= most_bpp] or list(rates[:1])
    plain = [Parameters(size, rate, objective=objective) for size in PACKET_SIZES for rate in fitting]
    return [variant for parameters in plain for variant in DELIVERIES[system.delivery].variants(parameters)]


def _mean(
    system: System,
    conditions: Conditions,
    photos: Sequence[str],
    parameters: Parameters,
    trials: int,
    seed: int,
    cache: Path,
) -> float:
    values = []
    for number, photo in enumerate(photos):
        material = material_of(system.source, photo, parameters.rate_bpp, parameters.packet_size, cache)
        lost = _believed_fates(conditions, parameters.packet_size, trials, seed + number)
        link = link_of(conditions)
        links = LossyLinks(LinkSettings(rate_bps=conditions.bandwidth_bps, delay_s=link.delay_s), lost)
        outcome = attempt(system.delivery, material, conditions, parameters, links, trials)
        values.append(float((outcome.area if parameters.objective == "area" else outcome.psnr).mean()))
    return float(np.mean(values))


@lru_cache(maxsize=32)
def _believed_fates(conditions: Conditions, packet_size: int, trials: int, seed: int) -> Bools:
    """Drawn from the losses believed in; over the true link, if that is known and loses packets otherwise."""
    sequence = SeedSequence([seed, 1])
    if conditions.assumed == 1 and not loses_by_packet(link_of(conditions)):
        return observed_fates(conditions, packet_size, trials, seed=sequence)
    losses = believed_losses(conditions, packet_size)
    return draw_trials(losses, trials, conditions.budget_bytes // LEAST_PACKET + 1, seed=sequence)

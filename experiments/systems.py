"""Whole systems, sources x deliveries, on a channel: what the experiments run.

    photo ─ source ─> packets ─ delivery ─> slots ─ links of all trials ─> there ─> shown ─> quality over time
            (once, kept in a folder)                (same seed, same fates)

All systems of the same conditions have the same bytes, packet headers, deadline and packet fates.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from numpy.random import SeedSequence

from experiments.assumed_losses import believed_losses, link_of
from experiments.case import Case, Conditions, Outcome, Parameters, System
from experiments.deliveries import DELIVERIES
from experiments.judged import judged, judges_for
from experiments.links import Links, open_links
from experiments.material import Material
from experiments.photo_names import load_photo
from experiments.sources import find_source, source_names
from experiments.sources.decode_times import seconds_per_megapixel
from experiments.trials import Clock, joined, outcome_of
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.suggestions import use_one_of
from progressive.wire.protection import Goal, plan_protection, probability_of_block

SOURCES = source_names()
__all__ = ["DELIVERIES", "SOURCES", "base_probability", "check_system", "identity", "judges_for", "prepare", "run"]

PACKET_SIZES = (1100, 550)
"""Datagrams that may be chosen, in bytes."""

TRIALS_AT_ONCE = 4096
"""So many trials have fates from one draw, however many workers there are."""

LEAST_PACKET = 100
"""Fates are drawn for as many packets as the budget holds of this size."""


def check_system(system: System) -> None:
    """Raises UsageError for a source or delivery that is unknown, or that cannot be used here."""
    find_source(system.source).check()
    if system.delivery not in DELIVERIES:
        raise UsageError(f"unknown delivery {system.delivery!r}: {use_one_of(system.delivery, DELIVERIES)}")


def identity(source: str) -> str:
    """Changes whenever what a source shows may: with weights, encoders, settings, decode times."""
    return f"{find_source(source).identity()} decoded in {seconds_per_megapixel().get(source, 0.0)} s a megapixel"


def prepare(source: str, photo: str, cache: Path) -> None:
    """Makes all that `tune` and `run` may ask for of a source and a photo, and keeps it in a folder."""
    found, pixels = find_source(source), load_photo(photo)
    for packet_size in PACKET_SIZES:
        for rate_bpp in found.rates_bpp:
            found.material(pixels, rate_bpp, packet_size, cache)


def run(case: Case, cache: Path) -> Outcome:
    """What comes of a case: the same bits for the same case, wherever and beside whatever it runs.

    Args:
        case: to try.
        cache: folder in which materials are kept.
    """
    material = _material(case, cache)
    link, most_packets = link_of(case.conditions), case.conditions.budget_bytes // LEAST_PACKET + 1
    parts = []
    for number, first in enumerate(range(0, case.trials, TRIALS_AT_ONCE)):
        trials = min(TRIALS_AT_ONCE, case.trials - first)
        links = open_links(link, trials, most_packets, seed=SeedSequence([case.seed, number]))
        parts.append(attempt(case.system.delivery, material, case.conditions, case.parameters, links, trials))
    outcome = joined(parts)
    if not case.measures:
        return outcome
    rate_bpp, _ = _coded(case.system.source, case.photo, case.parameters.rate_bpp, case.parameters.packet_size, cache)
    found = judged(case.system.source, case.photo, rate_bpp, case.parameters.packet_size, case.measures, cache)
    lpips, top1 = found.at(outcome.psnr)
    return replace(outcome, lpips=lpips, top1=top1)


def attempt(
    delivery: str, material: Material, conditions: Conditions, parameters: Parameters, links: Links, trials: int
) -> Outcome:
    """Delivers packets over the links of so many trials, and says what is seen."""
    link = link_of(conditions)
    clock = Clock(conditions.deadline_s, conditions.deadline_s + link.delay_s + link.jitter_s)
    delivered = DELIVERIES[delivery].deliver(material, conditions, parameters, links, trials)
    return outcome_of(material, delivered, clock)


def _material(case: Case, cache: Path) -> Material:
    return material_of(case.system.source, case.photo, case.parameters.rate_bpp, case.parameters.packet_size, cache)


def material_of(source: str, photo: str, rate_bpp: float | None, packet_size: int, cache: Path) -> Material:
    """The packets of a photo; where no file is as small as the rate asks for, those of the smallest one there is.

    Raises UsageError if there is no file at any rate.
    """
    return _coded(source, photo, rate_bpp, packet_size, cache)[1]


@lru_cache(maxsize=512)
def _coded(
    source: str, photo: str, rate_bpp: float | None, packet_size: int, cache: Path
) -> tuple[float | None, Material]:
    """The rate of the file, and its packets."""
    found, pixels = find_source(source), load_photo(photo)
    rates = [rate for rate in found.rates_bpp if rate is None or rate >= (rate_bpp or 0.0)]
    for rate in rates:
        material = found.material(pixels, rate, packet_size, cache)
        if material is not None:
            return rate, material
    raise UsageError(f"{source} has no file of {photo} at {rate_bpp} bits a pixel or more: use larger photos")


def base_probability(case: Case, cache: Path) -> float:
    """Exact probability that the whole base has come by the deadline, from the loss chain.

    Raises UsageError unless losses are a two-state chain, packets are sent as planned, and the base is one block.
    """
    losses = link_of(case.conditions).loss
    material = _material(case, cache)
    blocks = material.blocks(case.parameters.block)
    one_block = sum(block.layer == 0 for block in blocks) == 1
    if case.system.delivery != "planned" or not isinstance(losses, LossModel) or not one_block:
        raise UsageError("the odds of a base are known for planned delivery over ge: and loss: channels: use one")
    believed = believed_losses(case.conditions, case.parameters.packet_size)
    goal = Goal(case.conditions.budget_bytes, model=believed, objective=case.parameters.objective)
    plan = plan_protection("auto", blocks, goal)
    return float(probability_of_block(plan, 0, losses)[-1])

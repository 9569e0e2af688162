"""Unequal protection: the base's parity is spread over the whole plan, enhance tiers share what is left.

A burst takes neighbours: parity next to the base would be lost with it, parity spread over the stream is not, so that a
base of four packets is safe with nine of them. Enhance tiers get redundancy in inverse proportion to their number. What
time is left after the first pass goes to further parity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from math import inf

from progressive.loss_model import LossModel
from progressive.wire.protection.builder import Item, ParityDealer, PlanBuilder, sources_of, spread_behind_sources
from progressive.wire.protection.equal import plan_equal
from progressive.wire.protection.plan import BlockShape, Goal, Plan

BASE_TARGET = 0.9995
"""Wanted probability that a base block is decodable; above the 99.9 % that we promise, as packets differ in size."""

BASE_SHARE = 0.2
"""Most of the bytes that the base's parity may take."""

FIRST_TIER_REDUNDANCY = 0.25
"""Redundancy of the first enhance tier in the first pass; the tier number t gets a t-th of it."""


def plan_auto(blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    base = [b for b, shape in enumerate(blocks) if shape.layer == 0]
    enhance = [b for b, shape in enumerate(blocks) if shape.layer > 0]
    if not base or not enhance:  # nothing to tell apart
        return plan_equal(blocks, goal)
    builder = PlanBuilder(blocks, goal.budget_bytes)
    if not builder.add_all(sources_of(blocks, base)):
        return builder.plan()

    parity_size = max(blocks[b].parity_size for b in base)
    source_bytes = sum(sum(shape.sizes) for shape in blocks)
    parity_bytes = inf if goal.redundancy is None else goal.redundancy * source_bytes
    # However far the deadline is, the base should be safe by the time that the sources take.
    length = source_bytes if goal.redundancy is None else source_bytes + parity_bytes
    length = min(length, goal.budget_bytes - parity_size)
    step = _base_parity_step(blocks, base, length, parity_bytes, goal.model)
    dealer = ParityDealer(blocks, base, weigh_by_layer=False)
    if goal.redundancy is None:
        others = _enhance_items(blocks, enhance, None)
        base_parity = iter(dealer.deal, None)
    else:
        promised = dealer.deal_bytes(min(parity_bytes, (length - builder.spent) // step * parity_size))
        others = _enhance_items(blocks, enhance, parity_bytes - len(promised) * parity_size)
        base_parity = iter(promised)

    due = builder.spent + step
    for item in others:
        if builder.spent + parity_size >= due:
            due += step
            if not builder.add_all(islice(base_parity, 1)):
                return builder.plan()
        if not builder.add(item):
            return builder.plan()
    if goal.redundancy is not None:
        builder.add_all(base_parity)
    return builder.plan()


def _base_parity_step(
    blocks: Sequence[BlockShape], base: Sequence[int], length: float, parity_bytes: float, model: LossModel
) -> float:
    """Bytes from one parity packet of the base to the next: the most that make the base safe within `length` bytes."""
    size = max(blocks[b].parity_size for b in base)
    start = sum(sum(blocks[b].sizes) for b in base)
    shortest = size / BASE_SHARE
    k = max(blocks[b].k for b in base)
    room = length - start
    for count in range(1, int(min(room // shortest, parity_bytes // size) / len(base)) + 1):
        step = room / (count * len(base))
        slots = [*range(k), *(k - 1 + int((j + 1) * step * len(base) / size) for j in range(count))]
        if model.received_distribution(slots)[k:].sum() >= BASE_TARGET:
            return step
    return shortest


def _enhance_items(blocks: Sequence[BlockShape], enhance: Sequence[int], parity_bytes: float | None) -> Iterator[Item]:
    """Enhance sources with some parity among them; then, unless the bytes of parity are given, parity without end."""
    dealer = ParityDealer(blocks, enhance, weigh_by_layer=True)
    parity = dealer.deal_ratio(FIRST_TIER_REDUNDANCY) if parity_bytes is None else dealer.deal_bytes(parity_bytes)
    yield from spread_behind_sources(blocks, enhance, parity)
    while parity_bytes is None and (item := dealer.deal()) is not None:
        yield item

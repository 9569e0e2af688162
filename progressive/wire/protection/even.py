"""Plans for the final quality alone, for which nothing has to hurry: even redundancy, blocks spread over all the time.

    tier 1, its parity, tier 2, its parity, ..  with parity of the base here and there    even_plan
    the same packets, those of each tier evenly over all the time                         evenly_spread

A burst of losses takes few packets of each block then, so that the block withstands it with less parity.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from progressive.wire.packet import MAX_INDEX
from progressive.wire.protection.base_schedule import BASE_TARGET
from progressive.wire.protection.builder import Item, PlanBuilder, sources_of
from progressive.wire.protection.plan import BlockShape, Goal, Plan

REDUNDANCIES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)


def even_plan(blocks: Sequence[BlockShape], goal: Goal, redundancy: float) -> Plan:
    """Every tier as its sources and then its parity, the time left filled with more; the base is made safe.

    Args:
        blocks: those of layer 0 first.
        goal: of which the budget and the losses count.
        redundancy: parity packets / source packets of the tiers.
    """
    builder = PlanBuilder(blocks, goal.budget_bytes)
    of_base = _parity_of_base(blocks, goal)
    pace = goal.budget_bytes / (len(of_base) + 1)
    dealt = 0
    for item in _tier_by_tier(blocks, redundancy):
        if item.parity and blocks[item.block].k + builder.parity[item.block] > MAX_INDEX:
            continue
        if not builder.add(item):
            break
        while dealt < len(of_base) and builder.spent >= (dealt + 1) * pace and builder.add(of_base[dealt]):
            dealt += 1
    return builder.plan()


def evenly_spread(plan: Plan, blocks: Sequence[BlockShape]) -> Plan:
    """The same packets, those of each block but the base evenly over the whole time."""
    counts, seen = Counter(slot.block for slot in plan.slots), Counter[int]()
    places = []
    for position, slot in enumerate(plan.slots):
        hurries = blocks[slot.block].layer == 0
        places.append(position / len(plan.slots) if hurries else (seen[slot.block] + 0.5) / counts[slot.block])
        seen[slot.block] += 1
    order = sorted(range(len(places)), key=places.__getitem__)
    return replace(plan, slots=tuple(plan.slots[i] for i in order), sizes=tuple(plan.sizes[i] for i in order))


def _tier_by_tier(blocks: Sequence[BlockShape], redundancy: float) -> Iterator[Item]:
    base = [b for b, shape in enumerate(blocks) if shape.layer == 0]
    tiers = [b for b, shape in enumerate(blocks) if shape.layer > 0]
    yield from sources_of(blocks, base)
    sent = given = 0
    for tier in tiers:
        yield from sources_of(blocks, [tier])
        sent += blocks[tier].k
        due = round(redundancy * sent) - given
        yield from [Item(tier, parity=True)] * due
        given += due
    for _ in range(MAX_INDEX):
        yield from (Item(tier, parity=True) for tier in tiers)


def _parity_of_base(blocks: Sequence[BlockShape], goal: Goal) -> list[Item]:
    """As many packets, evenly over the time, as make the base blocks safe."""
    base = [b for b, shape in enumerate(blocks) if shape.layer == 0]
    if len(base) == len(blocks):
        return []
    slots = max(1, goal.budget_bytes // max(shape.parity_size for shape in blocks))
    counts = [_safe_with(blocks[b].k, slots, goal) for b in base]
    return [Item(b, parity=True) for turn in range(max(counts)) for b, n in zip(base, counts, strict=True) if turn < n]


def _safe_with(k: int, slots: int, goal: Goal) -> int:
    """Parity packets that make a block of k sources safe, all of it spread over so many slots."""
    most = min(max(0, slots - k), MAX_INDEX + 1 - k)
    for parity in range(most):
        places = np.unique(np.linspace(0, slots - 1, k + parity).astype(int)).tolist()
        if len(places) == k + parity and goal.model.received_distribution(places)[k:].sum() >= BASE_TARGET:
            return parity
    return most

"""Unequal protection, planned: every slot goes to the packet that is expected to show most for its bytes.

    next source         ──┐
    parity of one block ──┼── expected decibels x time left / byte ──> next slot      (search.py)
    parity of another   ──┘

How dear parity should be is searched for: of the plans for several prices the one of the greatest expected quality
(quality.py) is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from progressive.wire.protection.plan import BlockShape, Goal, Plan, Progress
from progressive.wire.protection.quality import Sources, expected_quality, score
from progressive.wire.protection.search import search_plan
from progressive.wire.protection.worth import WEIGHT_OF_TIME, Worth, expected_left, left_after

PRICES = (1.4, 2.0)
"""What a byte of parity may cost beside a byte of sources: most losses are met best by one of these .."""

CHEAPER, DEARER = 1.0, 3.0
""".. or by the one beyond the better of the two."""


def plan_auto(blocks: Sequence[BlockShape], goal: Goal, progress: Progress | None = None) -> Plan:
    """The slots to send; those that are left to send if `progress` says how far the stream has come."""
    progress = progress or Progress()
    sources = Sources.of(blocks)
    left = expected_left(sources, goal)
    best, best_score = Plan((), (), ()), -inf

    def improves(price: float) -> bool:
        """Each plan is guided by the quality that the best before is expected to reach."""
        nonlocal best, best_score, left
        plan = search_plan(blocks, sources, goal, progress, Worth(goal, left), price)
        quality = expected_quality(sources, plan, goal.model, progress)
        reached = score(quality, plan.sizes, goal)
        if reached <= best_score:
            return False
        best, best_score, left = plan, reached, left_after(sources, plan, quality, goal)
        return True

    improves(PRICES[0])
    improves(DEARER if improves(PRICES[1]) else CHEAPER)
    if goal.objective == "final" and not progress.sent:
        return _better_at_the_end(best, evenly_spread(best, blocks), sources, goal)
    return best


def evenly_spread(plan: Plan, blocks: Sequence[BlockShape]) -> Plan:
    """The same packets, those of each block but the base evenly over the whole time: a burst then takes few of each."""
    counts = Counter(slot.block for slot in plan.slots)
    seen = Counter[int]()
    places = []
    for position, slot in enumerate(plan.slots):
        hurries = blocks[slot.block].layer == 0
        places.append(position / len(plan.slots) if hurries else (seen[slot.block] + 0.5) / counts[slot.block])
        seen[slot.block] += 1
    order = sorted(range(len(places)), key=places.__getitem__)
    return replace(plan, slots=tuple(plan.slots[i] for i in order), sizes=tuple(plan.sizes[i] for i in order))


def _better_at_the_end(early: Plan, late: Plan, sources: Sources, goal: Goal) -> Plan:
    """Of two plans the one of the greater final quality, unless the other one is much faster."""

    def worth(plan: Plan) -> float:
        quality = expected_quality(sources, plan, goal.model)
        area = score(quality, plan.sizes, replace(goal, objective="area"))
        return (1 - WEIGHT_OF_TIME) * score(quality, plan.sizes, goal) + WEIGHT_OF_TIME * area

    return max(early, late, key=worth)

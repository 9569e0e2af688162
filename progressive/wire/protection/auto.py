"""Unequal protection, planned: every slot goes to the packet that is expected to show most for its bytes.

    next source         ──┐
    parity of one block ──┼── expected decibels x time left / byte ──> next slot      (search.py)
    parity of another   ──┘

How dear parity should be is searched for: of the plans for several prices the one of the greatest expected quality
(quality.py) is taken. For the final quality plans are tried as well that do not hurry (even.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from progressive.wire.protection.even import REDUNDANCIES, even_plan, evenly_spread
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
    return _without_hurry(best, blocks, sources, goal) if goal.objective == "final" and not progress.sent else best


def _without_hurry(plan: Plan, blocks: Sequence[BlockShape], sources: Sources, goal: Goal) -> Plan:
    """This plan, or one that gives up being early for the final quality; of two equally good ones the faster."""
    plans = [plan] if goal.redundancy is not None else [plan, *(even_plan(blocks, goal, r) for r in REDUNDANCIES)]

    def worth(candidate: Plan) -> float:
        quality = expected_quality(sources, candidate, goal.model)
        area = score(quality, candidate.sizes, replace(goal, objective="area"))
        return (1 - WEIGHT_OF_TIME) * score(quality, candidate.sizes, goal) + WEIGHT_OF_TIME * area

    return max((*plans, *(evenly_spread(candidate, blocks) for candidate in plans)), key=worth)

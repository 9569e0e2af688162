"""Unequal protection, planned: every slot goes to the packet that is expected to show most for its bytes.

    next source         ──┐
    parity of one block ──┼── expected decibels x time left / byte ──> next slot      (search.py)
    parity of another   ──┘

How dear parity should be is searched for: of the plans for several prices the one of the greatest expected quality
(quality.py) is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from progressive.wire.protection.plan import BlockShape, Goal, Plan, Progress
from progressive.wire.protection.quality import Sources, expected_quality, score
from progressive.wire.protection.search import search_plan
from progressive.wire.protection.worth import Worth, expected_left, left_after

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
    return best

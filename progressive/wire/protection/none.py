"""No protection: every source once."""

from __future__ import annotations

from collections.abc import Sequence

from progressive.wire.protection.builder import PlanBuilder, sources_of
from progressive.wire.protection.plan import BlockShape, Goal, Plan


def plan_none(blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    builder = PlanBuilder(blocks, goal.budget_bytes)
    builder.add_all(sources_of(blocks, range(len(blocks))))
    return builder.plan()

"""Equal protection: the same redundancy for every block, base or not."""

from __future__ import annotations

from collections.abc import Sequence

from progressive.wire.protection.builder import ParityDealer, PlanBuilder, spread_behind_sources
from progressive.wire.protection.plan import BlockShape, Goal, Plan

FIRST_PASS_REDUNDANCY = 0.25


def plan_equal(blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    members = range(len(blocks))
    dealer = ParityDealer(blocks, members, weigh_by_layer=False)
    if goal.redundancy is None:
        parity = dealer.deal_ratio(FIRST_PASS_REDUNDANCY)
    else:
        parity = dealer.deal_bytes(goal.redundancy * sum(sum(block.sizes) for block in blocks))
    builder = PlanBuilder(blocks, goal.budget_bytes)
    more = builder.add_all(spread_behind_sources(blocks, members, parity)) and goal.redundancy is None
    while more:
        item = dealer.deal()
        more = item is not None and builder.add(item)
    return builder.plan()

"""The rest of a plan, for what has arrived."""

from __future__ import annotations

from progressive.wire.protection import Goal, Plan
from sender.sent_packets import Known


def plan_rest(plan: Plan, goal: Goal, known: Known) -> Plan:
    """The slots to send from now on.

    Args:
        plan: in use so far.
        goal: what may still be spent.
        known: what left, and what of it arrived.
    """
    slots, sizes, spent = [], [], 0
    for slot, size in zip(plan.slots, plan.sizes, strict=True):
        if slot in known.fates or slot.block in known.whole:
            continue
        spent += size
        if spent > goal.budget_bytes:
            break
        slots.append(slot)
        sizes.append(size)
    return Plan(tuple(slots), tuple(sizes), plan.sources)

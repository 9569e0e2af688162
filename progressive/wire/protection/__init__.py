"""Which packet goes into which slot: the policies, by name. Another policy is one more file and one more line here."""

from __future__ import annotations

from collections.abc import Sequence

from progressive.errors import UsageError
from progressive.wire.protection.auto import plan_auto
from progressive.wire.protection.equal import plan_equal
from progressive.wire.protection.none import plan_none
from progressive.wire.protection.plan import BlockShape, Goal, Plan, Policy, Slot, probability_of_block

__all__ = ["POLICIES", "BlockShape", "Goal", "Plan", "Policy", "Slot", "plan_protection", "probability_of_block"]

POLICIES: dict[str, Policy] = {"auto": plan_auto, "equal": plan_equal, "none": plan_none}


def plan_protection(policy: str, blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    """The slots to send, in order; raises UsageError for an unknown policy or if not one packet can be paid for.

    Args:
        policy: a key of `POLICIES`.
        blocks: in the order of importance, those of layer 0 first.
        goal: what may be spent, and against which losses.
    """
    if policy not in POLICIES:
        raise UsageError(f"unknown protection {policy!r}: use one of {', '.join(POLICIES)}")
    plan = POLICIES[policy](blocks, goal)
    if not plan.slots:
        raise UsageError("not one packet can be sent by the deadline: raise the bandwidth or the deadline")
    return plan

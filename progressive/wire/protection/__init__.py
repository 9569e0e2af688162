"""Which packet goes into which slot: the policies, by name. Another policy is one more file and one more line here."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from progressive.errors import UsageError
from progressive.suggestions import use_one_of
from progressive.wire.protection.auto import plan_auto
from progressive.wire.protection.equal import plan_equal
from progressive.wire.protection.none import plan_none
from progressive.wire.protection.pet import plan_pet
from progressive.wire.protection.plan import (
    DESIGN_LOSS,
    BlockShape,
    Goal,
    Plan,
    Policy,
    Progress,
    Slot,
    probability_of_block,
)
from progressive.wire.protection.replan import plan_rest

__all__ = [
    "DESIGN_LOSS",
    "POLICIES",
    "BlockShape",
    "Goal",
    "Plan",
    "Policy",
    "Progress",
    "Slot",
    "plan_protection",
    "probability_of_block",
    "replan",
]

ROOM_FOR_A_PACKET = 2
"""A deadline with the time for so many of the largest packets would do."""

POLICIES: dict[str, Policy] = {"auto": plan_auto, "equal": plan_equal, "none": plan_none, "pet": plan_pet}


def plan_protection(policy: str, blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    """The slots to send, in order; raises UsageError for an unknown policy or if not one packet can be paid for.

    Args:
        policy: a key of `POLICIES`.
        blocks: in the order of importance, those of layer 0 first.
        goal: what may be spent, against which losses, and for what.
    """
    plan = _policy(policy)(blocks, goal)
    if not plan.slots:
        size = max(block.parity_size for block in blocks)
        times = ceil(ROOM_FOR_A_PACKET * size / max(1, goal.budget_bytes))
        raise UsageError(
            f"there is no time for a packet of {size} bytes, only for {goal.budget_bytes} bytes until the deadline: "
            f"use {times} times the --deadline or the --bandwidth, or a smaller --packet-size"
        )
    return plan


def replan(policy: str, blocks: Sequence[BlockShape], goal: Goal, progress: Progress) -> Plan:
    """The slots to send from now on of a stream that is under way; none if nothing is left that may be sent.

    Args:
        policy: a key of `POLICIES`; raises UsageError for another one.
        blocks: as they were planned at the start.
        goal: `budget_bytes` are those that are left until the deadline, `model` the losses by what is known now.
        progress: what was sent and what is known of it. No slot of it is sent again.
    """
    return plan_rest(_policy(policy), blocks, goal, progress)


def _policy(name: str) -> Policy:
    if name not in POLICIES:
        raise UsageError(f"unknown protection {name!r}: {use_one_of(name, POLICIES)}")
    return POLICIES[name]

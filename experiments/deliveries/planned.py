"""Deliveries that follow a policy of the project's own planner: no protection, and planned Reed-Solomon blocks."""

from __future__ import annotations

from experiments.case import Objective
from experiments.deliveries.schedule import Schedule
from experiments.material import Material
from progressive.loss_model import LossModel
from progressive.wire.protection import Goal, plan_protection


def schedule_by_policy(
    policy: str,
    material: Material,
    budget_bytes: int,
    losses: LossModel,
    objective: Objective = "area",
    first_tier: int | None = None,
) -> Schedule:
    """The slots that a policy of `progressive.wire.protection` chooses until the budget is spent.

    It knows what each packet is worth and what it needs. `first_tier` is the number of packets in the first block after
    the base; None for what the sender's packetizer would choose. Raises UsageError if not one packet can be paid for.
    """
    blocks = material.blocks(first_tier)
    goal = Goal(budget_bytes, model=losses, objective=objective)
    return Schedule.of(plan_protection(policy, blocks, goal), blocks)

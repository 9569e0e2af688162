"""The rest of a stream that is under way: what was announced stays, what is known of the losses counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from progressive.wire.protection.auto import plan_auto
from progressive.wire.protection.pet import continue_pet, plan_pet
from progressive.wire.protection.plan import BlockShape, Goal, Plan, Policy, Progress


def plan_rest(policy: Policy, blocks: Sequence[BlockShape], goal: Goal, progress: Progress) -> Plan:
    """The slots to send from now on; none if nothing is left that may be sent.

    Args:
        policy: of which the plan is continued; `plan_auto` takes into account what is known to have arrived.
        blocks: the whole stream, as at its start.
        goal: `budget_bytes` are those that are left.
        progress: a block keeps its `sources`, and no slot is sent twice.
    """
    announced = progress.sources or tuple(shape.k for shape in blocks)
    shapes = [_first(shape, k) for shape, k in zip(blocks, announced, strict=True) if k]
    if not shapes or goal.budget_bytes < min(min(shape.sizes) for shape in shapes):
        return Plan((), (), announced)
    if policy is plan_pet:
        plan = continue_pet(shapes, goal, replace(progress, sources=announced[: len(shapes)]))
    elif policy is plan_auto:
        plan = plan_auto(shapes, goal, replace(progress, sources=announced[: len(shapes)]))
    else:
        plan = _without_what_was_sent(policy, shapes, goal, progress)
    return replace(plan, sources=announced)


def _first(shape: BlockShape, k: int) -> BlockShape:
    return replace(shape, sizes=shape.sizes[:k], utilities=shape.utilities[:k], needs=shape.needs[:k])


def _without_what_was_sent(policy: Policy, shapes: Sequence[BlockShape], goal: Goal, progress: Progress) -> Plan:
    """A policy that knows of no progress would have sent the same slots at its start."""
    spent = sum(
        shape.sizes[slot.index] if slot.index < shape.k else shape.parity_size
        for slot in progress.sent
        for shape in [shapes[slot.block]]
    )
    whole = policy(shapes, replace(goal, budget_bytes=goal.budget_bytes + spent))
    sent = set(progress.sent)
    rest = [
        (slot, size)
        for slot, size in zip(whole.slots, whole.sizes, strict=True)
        if slot not in sent and slot.block not in progress.complete
    ]
    left = goal.budget_bytes
    fitting = []
    for slot, size in rest:
        left -= size
        if left < 0:
            break
        fitting.append((slot, size))
    return Plan(tuple(slot for slot, _ in fitting), tuple(size for _, size in fitting), whole.sources)

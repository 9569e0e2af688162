"""Priority encoding transmission: every class is striped over the same packets, any k of them give it, for broadcast.

Receivers that get m packets have the classes of k <= m, whichever packets they are: a better link shows more, and no
packet is the one to miss. Small k are dear, a stripe being 1/k of its class. The k are chosen so that the packets are
full and the expected quality is greatest; as the classes are shown one after the other, its terms are separate, and a
price a byte, found by bisection, settles them (Lagrange).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from progressive.wire.packet import MAX_SOURCES, MAX_STRIPED
from progressive.wire.protection.plan import BlockShape, Goal, Plan, Progress, Slot
from progressive.wire.protection.quality import Sources
from progressive.wire.stripes import stripe_size

Floats = NDArray[np.float64]

BISECTIONS = 50
DEAREST = 1e12


def plan_pet(blocks: Sequence[BlockShape], goal: Goal) -> Plan:
    """A striped plan: its slots are (0, 0), (0, 1), .., its `sources` the k of each class, 0 for those left out.

    With a given redundancy no more packets are sent than that pays for; the losses decide how it is shared.
    """
    room = max(shape.parity_size for shape in blocks)
    budget = goal.budget_bytes
    if goal.redundancy is not None:
        budget = min(budget, int((1 + goal.redundancy) * sum(sum(shape.sizes) for shape in blocks)))
    count = min(budget // room, MAX_STRIPED)
    if not count:
        return Plan((), (), (0,) * len(blocks), striped=True)
    sizes = [sum(shape.sizes) - shape.k * goal.overhead_bytes for shape in blocks]
    ks = _share(sizes, _decibels(blocks), _worth_of_k(goal, count), room - goal.overhead_bytes)
    size = goal.overhead_bytes + sum(stripe_size(own, k) for own, k in zip(sizes, ks, strict=True) if k)
    if not ks[0]:
        return Plan((), (), tuple(ks), striped=True)
    count = min(budget // size, MAX_STRIPED)
    return Plan(tuple(Slot(0, i) for i in range(count)), (size,) * count, tuple(ks), striped=True)


def continue_pet(blocks: Sequence[BlockShape], goal: Goal, progress: Progress) -> Plan:
    """Further packets of the same stripes."""
    sizes = [sum(shape.sizes) - shape.k * goal.overhead_bytes for shape in blocks]
    size = goal.overhead_bytes + sum(stripe_size(own, k) for own, k in zip(sizes, progress.sources, strict=True) if k)
    first = 1 + max((slot.index for slot in progress.sent), default=-1)
    indices = range(first, min(first + goal.budget_bytes // size, MAX_STRIPED))
    return Plan(tuple(Slot(0, i) for i in indices), (size,) * len(indices), progress.sources, striped=True)


def _decibels(blocks: Sequence[BlockShape]) -> Floats:
    """What each class adds to the quality once those before it are there, [B]."""
    sources = Sources.of(blocks)
    left = sources.total - np.cumsum(np.add.reduceat(sources.utility, sources.start))
    return np.asarray(-np.diff(10 * np.log10(np.maximum([sources.total, *left], sources.residual))))


def _worth_of_k(goal: Goal, count: int) -> Floats:
    """Share of the time for which, or odds at the deadline that, any k of the packets have come, [K] for k from 1."""
    enough = np.zeros((count, count + 1))
    for n in range(1, count + 1):
        enough[n - 1, : n + 1] = goal.model.received_distribution(range(n))[::-1].cumsum()[::-1]
    worth = enough[-1] if goal.objective == "final" else enough.mean(axis=0)
    return np.asarray(worth[1 : MAX_SOURCES + 1])


def _share(sizes: Sequence[int], decibels: Floats, worth: Floats, room: int) -> list[int]:
    """The k of each class, never falling from one to the next, whose stripes fit the room together; 0 for none."""
    most = len(worth)
    cost = np.array([[stripe_size(size, k) for k in range(1, most + 1)] for size in sizes], dtype=np.float64)
    value = np.outer(decibels, worth)

    def at_price(price: float) -> list[int]:
        gains = value - price * cost
        chosen = gains.argmax(axis=1) + 1
        left_out = gains.max(axis=1) <= 0
        left_out[0] = False  # without the header nothing shows
        chosen[np.logical_or.accumulate(left_out)] = most + 1
        return [int(k) if k <= most else 0 for k in np.maximum.accumulate(chosen)]

    def fits(ks: Sequence[int]) -> bool:
        return sum(float(cost[b, k - 1]) for b, k in enumerate(ks) if k) <= room

    low, high = 0.0, 1.0
    while not fits(at_price(high)) and high < DEAREST:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        price = (low + high) / 2
        low, high = (low, price) if fits(at_price(price)) else (price, high)
    ks = at_price(high)
    return _filled(ks, value, fits) if fits(ks) else [0] * len(sizes)


def _filled(ks: list[int], value: Floats, fits: Callable[[Sequence[int]], bool]) -> list[int]:
    """Room that the price left is used up, one step of one class at a time: the step that is worth most."""
    most = value.shape[1]
    while True:
        steps = []
        for b, k in enumerate(ks):
            before = ks[b - 1] if b else 1
            lower = k - 1 if k else most
            if lower >= max(before, 1) and (k or before) and fits(step := [*ks[:b], lower, *ks[b + 1 :]]):
                steps.append((value[b, lower - 1] - (value[b, k - 1] if k else 0.0), step))
        gain, step = max(steps, default=(0.0, ks))
        if gain <= 0:
            return ks
        ks = step

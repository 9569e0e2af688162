"""The vocabulary of protection: shapes of blocks, the goal of a policy, its plan, and how likely that one works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from progressive.loss_model import LossModel
from progressive.wire.packet import OVERHEAD

DESIGN_LOSS = LossModel(0.10, 5)
"""The losses that are assumed as long as nobody has reported any."""

Objective = Literal["area", "final"]


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One datagram to send: packet `index` of block number `block`."""

    block: int
    index: int


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What a policy knows of a block.

    Fields:
        layer: 0 for the base, 1.. for the tiers of enhance packets, the most important first.
        sizes: bytes on the wire of each source datagram, in order; 1..MAX_SOURCES of them.
        utilities: distortion that each source removes once it and what it needs are there; empty if unknown.
        needs: the sources without which each one shows nothing, all of them earlier in the stream; empty if unknown:
            enhance packets then need the whole base.
    """

    layer: int
    sizes: tuple[int, ...]
    utilities: tuple[float, ...] = ()
    needs: tuple[tuple[Slot, ...], ...] = ()

    @property
    def k(self) -> int:
        return len(self.sizes)

    @property
    def parity_size(self) -> int:
        """Bytes on the wire of each parity datagram."""
        return max(self.sizes)


@dataclass(frozen=True, slots=True)
class Goal:
    """What a plan may cost and what it is for.

    Fields:
        budget_bytes: bytes that the bandwidth pays for until the deadline.
        redundancy: parity bytes / source bytes; None to choose, and to go on with parity until the budget is spent.
        model: the losses to protect against.
        objective: what to maximise, `area` under quality over time until the deadline or the `final` quality there.
        overhead_bytes: those of every datagram that are not payload.
    """

    budget_bytes: int
    redundancy: float | None = None
    model: LossModel = DESIGN_LOSS
    objective: Objective = "area"
    overhead_bytes: int = OVERHEAD


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream has come, for planning the rest of it.

    Fields:
        sent: the slots sent so far, in order.
        arrived: of each of them whether it arrived, None where that is not known.
        complete: blocks of which the receiver has every source.
        sources: source packets of each block as announced, `Plan.sources` of the plan in use; empty before the first.
    """

    sent: tuple[Slot, ...] = ()
    arrived: tuple[bool | None, ...] = ()
    complete: frozenset[int] = frozenset()
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, in order.

    Fields:
        slots: at most one for every packet of every block.
        sizes: bytes on the wire of each slot.
        sources: source packets of each block that are sent, and so its k; fewer than asked for where the deadline cuts
            the tail.
        striped: every packet carries a stripe of all blocks, and `sources` are the stripes that give each of them; the
            slots are those of block 0.
    """

    slots: tuple[Slot, ...]
    sizes: tuple[int, ...]
    sources: tuple[int, ...]
    striped: bool = False

    def slots_of(self, block: int) -> list[int]:
        """Positions in `slots` of the packets of a block, rising."""
        return [position for position, slot in enumerate(self.slots) if slot.block == block]

    def parity_bytes(self, block: int) -> int:
        """Bytes on the wire of a block's parity packets."""
        k = self.sources[block]
        return sum(
            size for slot, size in zip(self.slots, self.sizes, strict=True) if slot.block == block and slot.index >= k
        )


Policy = Callable[[Sequence[BlockShape], Goal], Plan]


def probability_of_block(plan: Plan, block: int, model: LossModel) -> NDArray[np.float64]:
    """Exact probability that a block is decodable once each slot of the plan has been sent, [len(plan.slots)].

    The loss chain advances by one step a slot, from its stationary state.
    """
    k = plan.sources[block]
    step = np.array([[1 - model.to_bad, model.to_good], [model.to_bad, 1 - model.to_good]])
    # [good or bad, packets still needed]; the last column is that of a block of which nothing has come
    state = np.zeros((2, k + 1))
    state[:, k] = 1 - model.loss, model.loss
    probability = np.zeros(len(plan.slots))
    for position, slot in enumerate(plan.slots):
        if position:
            state = step @ state
        if slot.block == block:
            state[0, 0] += state[0, 1]
            state[0, 1:-1], state[0, -1] = state[0, 2:].copy(), 0
        probability[position] = state[:, 0].sum()
    return probability

"""What is sent in which slot, and when each source packet is there again.

Legend: F trials, N slots, S source packets, B blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from experiments.links import Links
from experiments.material import Material
from progressive.wire.protection import BlockShape, Plan

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

PARITY = -1


@dataclass(frozen=True, slots=True)
class Schedule:
    """A plan for every slot, made before anything is sent. Any k packets of a block give its k sources.

    Fields:
        source: number of the source packet in each slot, or PARITY, [N].
        block: of each slot, [N].
        sizes: bytes on the wire, [N].
        members: the source packets of each block that are sent, [B] arrays.
    """

    source: Ints
    block: Ints
    sizes: Ints
    members: tuple[Ints, ...]

    @property
    def redundancy(self) -> float:
        """Bytes of parity / bytes of source packets."""
        sources = int(self.sizes[self.source != PARITY].sum())
        return int(self.sizes[self.source == PARITY].sum()) / sources if sources else 0.0

    @classmethod
    def of(cls, plan: Plan, blocks: list[BlockShape]) -> Schedule:
        starts = np.cumsum([0, *(shape.k for shape in blocks)])
        source = [
            int(starts[slot.block]) + slot.index if slot.index < plan.sources[slot.block] else PARITY
            for slot in plan.slots
        ]
        members = tuple(
            np.arange(start, start + k) for start, k in zip(starts.tolist(), (*plan.sources, 0), strict=True)
        )
        return cls(np.array(source), np.array([slot.block for slot in plan.slots]), np.array(plan.sizes), members[:-1])


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of all trials.

    Fields:
        there_s: when each source packet is there, received or restored, [F, S] in seconds; infinite for never.
        sent_bytes: of all datagrams, [F].
        redundancy: bytes beyond those of the source packets / bytes of the source packets that were sent, [F].
    """

    there_s: Floats
    sent_bytes: Floats
    redundancy: Floats


def send(schedule: Schedule, material: Material, links: Links, trials: int, bandwidth_bps: float) -> Delivered:
    """Sends a schedule over all links, paced to the bandwidth."""
    ends_s = 8 * np.cumsum(schedule.sizes) / bandwidth_bps
    arrival_s = np.empty((trials, len(schedule.sizes)))
    for slot, (end_s, size) in enumerate(zip(ends_s.tolist(), schedule.sizes.tolist(), strict=True)):
        arrival_s[:, slot] = links.send(np.full(trials, end_s - 8 * size / bandwidth_bps), np.full(trials, size))
    return Delivered(
        there_s(schedule, arrival_s, len(material.sizes)),
        np.full(trials, float(schedule.sizes.sum())),
        np.full(trials, schedule.redundancy),
    )


def there_s(schedule: Schedule, arrival_s: Floats, sources: int) -> Floats:
    """When each of so many source packets is there, given when each slot arrives, [F, N] -> [F, S]."""
    there = np.full((len(arrival_s), sources), math.inf)
    sent = schedule.source != PARITY
    there[:, schedule.source[sent]] = arrival_s[:, sent]
    for block, members in enumerate(schedule.members):
        own = np.flatnonzero(schedule.block == block)
        if len(own) > len(members) > 0:
            enough = len(members) - 1
            decoded = np.partition(arrival_s[:, own], enough, axis=1)[:, enough]
            there[:, members] = np.minimum(there[:, members], decoded[:, None])
    return there

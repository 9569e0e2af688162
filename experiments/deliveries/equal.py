"""Equal protection: Reed-Solomon blocks of the same redundancy, interleaved, and what time is left filled with parity.

    depth 2, blocks of 3, redundancy 2/3:   s0 s1 s2 s3 s4 s5 | p0 p1 p0 p1 | next two blocks .. | more parity of all
                                            block 0 has s0 s2 s4, block 1 s1 s3 s5

Source packets keep their order, so that a progressive photo is shown as early as without interleaving.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from experiments.deliveries.schedule import PARITY, Schedule
from experiments.material import Material
from progressive.wire.packet import MAX_INDEX

Ints = NDArray[np.intp]


def schedule_equal(material: Material, budget_bytes: int, redundancy: float, block: int, depth: int) -> Schedule:
    """The slots until the budget is spent.

    Args:
        material: what is sent.
        budget_bytes: for all of it.
        redundancy: parity packets / source packets of the first pass, 0 or more.
        block: source packets of a block, 1 to 64; the last blocks may have fewer.
        depth: blocks that are interleaved, 1 for none.
    """
    members = _interleaved(len(material.sizes), block, depth)
    parity_size = np.array([material.sizes[own].max() for own in members])
    slots: list[tuple[int, int, int]] = []  # source, block, size
    given = [0] * len(members)
    sources = 0

    def add_parity(b: int) -> int:
        """Bytes of one more packet; 0 if the code has no further one."""
        if len(members[b]) + given[b] > MAX_INDEX:
            return 0
        slots.append((PARITY, b, int(parity_size[b])))
        given[b] += 1
        return slots[-1][2]

    for first in range(0, len(members), depth):
        group = range(first, min(first + depth, len(members)))
        own = sorted((int(s), b) for b in group for s in members[b])
        slots += [(s, b, int(material.sizes[s])) for s, b in own]
        sources += len(own)
        due = round(redundancy * sources) - sum(given)
        for number in range(due):
            add_parity(group[number % len(group)])
    left = budget_bytes - sum(size for *_, size in slots)
    while left > 0 and (more := sum(add_parity(b) for b in range(len(members)))):
        left -= more
    return _within(budget_bytes, slots, members)


def _interleaved(packets: int, block: int, depth: int) -> list[Ints]:
    """The source packets of each block; a last group that is short has blocks as equal as can be."""
    members: list[Ints] = []
    for first in range(0, packets, block * depth):
        group = np.arange(first, min(first + block * depth, packets))
        members += [group[b::depth] for b in range(min(depth, len(group)))]
    return members


def _within(budget_bytes: int, slots: list[tuple[int, int, int]], members: list[Ints]) -> Schedule:
    """The slots that the budget pays for; a block whose last sources are not sent is the smaller for it."""
    ends = np.cumsum([size for *_, size in slots])
    kept = slots[: int(np.searchsorted(ends, budget_bytes, side="right"))]
    source, block, sizes = (
        (np.array(column, dtype=np.intp) for column in zip(*kept, strict=True))
        if kept
        else (np.zeros(0, np.intp) for _ in range(3))
    )
    sent = set(source.tolist())
    return Schedule(source, block, sizes, tuple(own[[int(s) in sent for s in own]] for own in members))

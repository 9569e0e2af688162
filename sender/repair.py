"""Which packets to send again: those that a receiver lacks and that nothing on its way will restore."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from progressive.wire.protection import Slot
from sender.sent_packets import Known

MAX_COPIES = 8
"""How often a packet is sent at most: a link that loses seven copies in a row is better served by the rest."""


def packets_to_repeat(
    blocks: Sequence[int],
    sources: Sequence[int],
    known: Known,
    copies: Mapping[Slot, int],
    *,
    doubt: bool = False,
) -> list[Slot]:
    """The source packets of some blocks that should be sent again now, in order.

    Args:
        blocks: their numbers, the most important first.
        sources: source packets of each block of the stream.
        known: what the receiver has.
        copies: how often each packet was sent.
        doubt: what may still come is taken for lost, as it has been on its way for too long.
    """
    repeated = []
    for block in blocks:
        if block in known.whole:
            continue
        own = {slot: fate for slot, fate in known.fates.items() if slot.block == block}
        coming = sum(bool(fate) or (fate is None and not doubt) for fate in own.values())
        lost = [
            slot
            for slot, fate in sorted(own.items(), key=lambda item: item[0].index)
            if slot.index < sources[block] and not fate and (doubt or fate is False) and copies[slot] < MAX_COPIES
        ]
        unsent = sum(Slot(block, index) not in own for index in range(sources[block]))
        repeated += lost[: max(0, sources[block] - coming - unsent)]
    return repeated

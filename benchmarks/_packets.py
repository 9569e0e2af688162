"""What the formats beside ours share when packets are lost: files whose pieces are dealt out to packets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.errors import UsageError

Lost = NDArray[np.bool_]
"""For each packet, whether it is lost, [packets]."""


class PacketedFile(Protocol):
    """A coded photo that shows a picture without some of its packets; its headers are assumed to arrive."""

    @property
    def size(self) -> int:
        """Bytes of the whole file, headers included."""
        ...

    @property
    def packets(self) -> int: ...

    def picture(self, lost: Lost) -> Photo:
        """The best picture of what is left, [H, W, 3], by the format's usual decoder."""
        ...


def draw_losses(packets: int, probability: float, seed: Sequence[int], *, kept: int = 0) -> Lost:
    """Each packet is lost with this probability, whatever happens to others; the first `kept` never are."""
    lost = np.random.default_rng(seed).random(packets) < probability
    lost[:kept] = False
    return np.asarray(lost)


def deal(sizes: Sequence[int], max_payload: int) -> NDArray[np.intp]:
    """The packet of each piece when neighbours go to different packets, as cards are dealt, [pieces].

    As few packets as hold every piece; raises UsageError if one piece is larger than a packet.
    """
    if max(sizes) > max_payload:
        raise UsageError(f"a piece of {max(sizes)} bytes fits no packet of {max_payload}")
    packets = max(1, -(-sum(sizes) // max_payload))
    while True:
        dealt = np.arange(len(sizes)) % packets
        if np.bincount(dealt, sizes).max() <= max_payload:
            return dealt
        packets += 1


def largest_within(size_bytes: int, make: Callable[[int], PacketedFile | None], settings: range) -> PacketedFile | None:
    """The file of the highest setting that fits, of settings whose files grow; None if no file fits."""
    best, low, high = None, 0, len(settings)
    while low < high:
        middle = (low + high) // 2
        file = make(settings[middle])
        if file is not None and file.size <= size_bytes:
            best, low = file, middle + 1
        else:
            high = middle
    return best

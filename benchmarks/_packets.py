"""What the formats beside ours share when packets are lost: files whose pieces are dealt out to packets."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from progressive.codec import Photo
from progressive.errors import UsageError

Lost = NDArray[np.bool_]
"""For each packet, whether it is lost, [packets]."""


ROW_SKEW = 0.382
"""The golden section of the packets: rows that begin with the same packet are far apart."""


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


def deal(sizes: Sequence[int], row_length: int, max_payload: int) -> NDArray[np.intp]:
    """The packet of each piece when pieces side by side, or one above the other, go to different packets, [pieces].

    Cards are dealt so; each row of `row_length` pieces begins some packets further. As few packets as hold every piece;
    raises UsageError if one piece is larger than a packet.
    """
    if max(sizes) > max_payload:
        raise UsageError(f"a piece of {max(sizes)} bytes fits no packet of {max_payload}")
    column, row = np.arange(len(sizes)) % row_length, np.arange(len(sizes)) // row_length
    packets = max(1, -(-sum(sizes) // max_payload))
    while True:
        dealt = (column + row * round(ROW_SKEW * packets)) % packets
        if np.bincount(dealt, sizes).max() <= max_payload:
            return dealt
        packets += 1


def largest_within(
    size_bytes: int, make: Callable[[float], PacketedFile | None], settings: Sequence[float]
) -> PacketedFile | None:
    """The file of the highest setting that fits, of settings whose files grow, those that give none (None) the last.

    None if no file fits.
    """

    def size_of(setting: float) -> int:
        file = make(setting)
        return sys.maxsize if file is None else file.size

    fitting = bisect_right(settings, size_bytes, key=size_of)
    return make(settings[fitting - 1]) if fitting else None

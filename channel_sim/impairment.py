"""What other packages add to links: anything that loses packets or makes them late."""

from __future__ import annotations

from typing import Protocol

from numpy.random import SeedSequence


class Passing(Protocol):
    """An impairment of one link while packets pass it, in the order in which they are sent."""

    def delay_s(self, size_bytes: int, now_s: float) -> float | None:
        """How much later the packet arrives than it would, in seconds; None if it is lost.

        Args:
            size_bytes: of the whole packet.
            now_s: when its transmission begins, in seconds since the link's first packet, never falling.
        """
        ...


class Impairment(Protocol):
    """The settings of an impairment: a frozen dataclass, say, whose `str` is a few words for people."""

    def start(self, seed: SeedSequence) -> Passing:
        """A new one for a link; the same for the same seed."""
        ...

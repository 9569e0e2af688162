"""What a sender that serves has for each of its receivers, whenever that joins."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from sender.prepare import PreparedPhoto


@dataclass(frozen=True, slots=True)
class Offer:
    """What a receiver gets next.

    Fields:
        prepared: the photo, or the frame.
        more: another one follows, as far as is known.
        deadline_s: seconds for it; None for those of the settings.
    """

    prepared: PreparedPhoto
    more: bool
    deadline_s: float | None = None


class Programme(Protocol):
    """Photos or frames, each read and encoded once for all receivers."""

    async def first(self) -> PreparedPhoto | None:
        """Ready before anybody has joined; None if there is nothing that can be sent. Raises UsageError if it cannot
        be read, or sent."""
        ...

    def offers(self) -> AsyncGenerator[Offer]:
        """For a receiver that joins now, asked for the next once the one before has been sent; ends after the last."""
        ...

    async def wait_failed(self) -> None:
        """Never returns; raises what keeps the source from going on."""
        ...

    def in_words(self) -> str:
        """How it went, in one line; empty if there is nothing to say."""
        ...

    def close(self) -> None:
        """Nothing is read or encoded any more."""
        ...

    def check(self) -> None:
        """Raises RunError if not all could be read or sent."""
        ...

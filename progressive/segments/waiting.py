"""What waits for something else, found by what it waits for: taking up again costs only what can go on."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """Items by what they wait for.

    Fields:
        count: of what waits, in the units that `put` was told.
    """

    def __init__(self) -> None:
        self.count = 0
        self._items: dict[Hashable, list[tuple[T, int]]] = {}

    def put(self, key: Hashable, item: T, count: int = 1) -> None:
        """Lets an item wait for a key; it counts as so many."""
        self._items.setdefault(key, []).append((item, count))
        self.count += count

    def take(self, key: Hashable) -> list[tuple[T, int]]:
        """All that waited for the key, each with what it counts as, in the order of coming."""
        taken = self._items.pop(key, [])
        self.count -= sum(count for _, count in taken)
        return taken

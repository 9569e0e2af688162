"""Lists that grow for as long as a stream lasts, within bounds, and are sent to pages piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Cursor(NamedTuple):
    """How much of a history someone has seen: items of a generation."""

    generation: int = 0
    seen: int = 0


class History(Generic[T]):
    """Items in order; when there are too many, every second one of all but the latest quarter is forgotten."""

    def __init__(self, limit: int) -> None:
        """`limit`: most items kept, 8 or more."""
        self._limit = limit
        self._items: list[T] = []
        self._generation = 0

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: T) -> None:
        self._items.append(item)
        if len(self._items) > self._limit:
            recent = self._limit // 4
            self._items = self._items[:-recent:2] + self._items[-recent:]
            self._generation += 1

    def amend(self, change: Callable[[T], T]) -> None:
        """Puts another in place of the latest item, if there is one."""
        if self._items:
            self._items[-1] = change(self._items[-1])
            self._generation += 1

    def since(self, cursor: Cursor) -> tuple[Cursor, list[T], bool]:
        """What to be told by someone who has seen so much: where that leads, the items, and whether they replace all
        that was seen before."""
        here = Cursor(self._generation, len(self._items))
        if cursor.generation != self._generation:
            return here, list(self._items), True
        return here, self._items[cursor.seen :], False

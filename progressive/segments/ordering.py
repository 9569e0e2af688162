"""Drafts of segments into the sender's order: what is needed comes first, then what is worth most."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from typing import Protocol, Self, TypeVar

from progressive.stream import Segment


class Draft(Protocol):
    """A segment before it has an id; `needs` are those that it cannot be decoded without."""

    @property
    def layer(self) -> int: ...

    @property
    def utility(self) -> float: ...

    @property
    def needs(self) -> Sequence[Self]: ...


D = TypeVar("D", bound=Draft)


def numbered(
    drafts: Sequence[D],
    rank: Callable[[D], tuple[float, ...]],
    payload: Callable[[D, int, tuple[int, ...]], bytes],
) -> tuple[Segment, ...]:
    """Numbers the drafts from 1: always the one of lowest rank, then the first given, of those whose needs are met.

    `payload` makes the bytes of a draft, given its id and the ids of its needs.
    """

    def place(index: int) -> tuple[tuple[float, ...], int]:
        return rank(drafts[index]), index

    waiting = {id(d): len(d.needs) for d in drafts}
    dependants: dict[int, list[int]] = {}
    for index, draft in enumerate(drafts):
        for need in draft.needs:
            dependants.setdefault(id(need), []).append(index)
    ready = [place(index) for index, draft in enumerate(drafts) if not draft.needs]
    heapq.heapify(ready)
    ids: dict[int, int] = {}
    segments: list[Segment] = []
    while ready:
        draft = drafts[heapq.heappop(ready)[1]]
        number = ids[id(draft)] = len(segments) + 1
        needs = tuple(sorted(ids[id(n)] for n in draft.needs))
        segments.append(Segment(number, draft.layer, needs, payload(draft, number, needs), draft.utility))
        for dependant in dependants.get(id(draft), ()):
            waiting[id(drafts[dependant])] -= 1
            if not waiting[id(drafts[dependant])]:
                heapq.heappush(ready, place(dependant))
    return tuple(segments)

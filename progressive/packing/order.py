"""The order of sending: the base, then the segments that remove most distortion a byte, each after what it needs."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Sequence

from progressive.errors import UsageError
from progressive.stream import Segment


def order_segments(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The segments in the order in which to send them; equals keep the order they came in.

    At each step the best segment goes whose dependencies have all gone: of the base if there is one, else that of the
    highest utility per byte. Raises UsageError if ids repeat, a dependency is missing, or dependencies form a circle.
    """
    position = {segment.id: i for i, segment in enumerate(segments)}
    if len(position) != len(segments):
        raise UsageError("two segments of the stream share an id")
    waiting_for = [len(set(segment.depends_on)) for segment in segments]
    dependants: defaultdict[int, list[int]] = defaultdict(list)
    for i, segment in enumerate(segments):
        for parent in set(segment.depends_on):
            if parent not in position:
                raise UsageError(f"segment {segment.id} depends on segment {parent}, which the stream lacks")
            dependants[position[parent]].append(i)

    ready = [(*_rank(segments[i]), i) for i, count in enumerate(waiting_for) if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        *_, i = heapq.heappop(ready)
        ordered.append(segments[i])
        for j in dependants[i]:
            waiting_for[j] -= 1
            if not waiting_for[j]:
                heapq.heappush(ready, (*_rank(segments[j]), j))
    if len(ordered) != len(segments):
        raise UsageError("segments of the stream depend on each other in a circle")
    return tuple(ordered)


def _rank(segment: Segment) -> tuple[bool, float]:
    return segment.layer > 0, -segment.utility / max(1, len(segment.payload))

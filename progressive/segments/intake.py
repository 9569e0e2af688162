"""Which segments a decoder takes: each id once, and no more than the stream has."""

from __future__ import annotations

from progressive.errors import BitstreamError
from progressive.stream import MAX_SEGMENTS


class Intake:
    """The ids of the segments that a decoder has taken of a stream of `count` segments."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[int] = set()

    def wants(self, segment_id: int) -> bool:
        """Whether this one is new; raises BitstreamError if it cannot be of this stream."""
        if not 1 <= segment_id <= MAX_SEGMENTS:
            raise BitstreamError(f"segment id {segment_id} is out of range")
        if segment_id in self._taken:
            return False
        if len(self._taken) >= self._count:
            raise BitstreamError(f"the stream has only {self._count} segments")
        return True

    def take(self, segment_id: int) -> None:
        self._taken.add(segment_id)

    def give_back(self, segment_id: int) -> None:
        """It proved damaged: a good copy may come."""
        self._taken.discard(segment_id)

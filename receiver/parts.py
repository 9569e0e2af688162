"""Segments that come in parts, until all parts of one are there."""

from __future__ import annotations

from progressive.errors import WireError
from progressive.wire.short_records import Part


class Parts:
    """Parts by the segment that they are of.

    Field: held_bytes: of all that wait for others.
    """

    def __init__(self) -> None:
        self.held_bytes = 0
        self._of: dict[int, int] = {}
        self._found: dict[int, dict[int, bytes]] = {}

    def join(self, part: Part) -> bytes | None:
        """The segment, once this was what it lacked; raises WireError if the part contradicts others."""
        if self._of.setdefault(part.id, part.of) != part.of:
            raise WireError(f"segment {part.id} had {self._of[part.id]} parts, now {part.of}")
        found = self._found.setdefault(part.id, {})
        if part.number not in found:
            found[part.number] = part.data
            self.held_bytes += len(part.data)
        if len(found) < part.of:
            return None
        del self._of[part.id], self._found[part.id]
        self.held_bytes -= sum(map(len, found.values()))
        return b"".join(found[number] for number in range(part.of))

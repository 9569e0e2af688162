"""Fragments of segments, until all of one are there.

All of it in constant time for each segment that is kept, whatever a peer sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

from progressive.codecs.rmpgc.segments import BASE, Contents
from progressive.errors import BitstreamError


@dataclass(frozen=True)
class Whole:
    """A segment, put together if it came in fragments. Fields: contents; the ids that it had."""

    contents: Contents
    ids: tuple[int, ...]


Piece = tuple[int, Contents]
"""A fragment with its id."""


@dataclass
class Fragments:
    """Fragments whose others are missing. Field: how many.

    Those of the base belong together by what they say they hold; of the others each refers to the one before.
    """

    count: int = 0
    _base: dict[Contents, dict[int, Piece]] = field(default_factory=dict)
    _begun: dict[int, list[Piece]] = field(default_factory=dict)
    """Id of the last one that follows from the first -> all up to it."""
    _following: dict[int, Piece] = field(default_factory=dict)
    """Id that a fragment refers to -> the fragment."""

    def joined(self, segment_id: int, piece: Contents) -> Whole | None:
        """The whole that a segment is or completes; otherwise the fragment is kept.

        Those of a whole stay until they are forgotten, as it may prove damaged by its last. Raises BitstreamError, with
        nothing changed, if it contradicts another fragment.
        """
        if piece.fragments == 1:
            return Whole(piece, (segment_id,))
        found = self._of_base(segment_id, piece) if piece.form == BASE else self._of_chain(segment_id, piece)
        if found is None:
            self.count += 1
            return None
        body = b"".join(p.body for _, p in found)
        return Whole(replace(found[0][1], body=body, fragment=0, fragments=1), tuple(i for i, _ in found))

    def forget(self, whole: Whole) -> None:
        """Lets go of the fragments of a whole, as far as they are still kept."""
        if whole.contents.form == BASE:
            self.count -= len(self._base.pop(whole.contents.whole, {}))
        for before, after in pairwise(whole.ids):
            self.count -= len(self._begun.pop(before, []))
            if self._following.get(before, (0,))[0] == after:
                del self._following[before]
                self.count -= 1

    def _of_base(self, segment_id: int, piece: Contents) -> list[Piece] | None:
        others = self._base.setdefault(piece.whole, {})
        _, first = next(iter(others.values()), (segment_id, piece))
        if piece.fragment in others or first.fragments != piece.fragments:
            raise BitstreamError("a fragment contradicts another")
        if len(others) + 1 == piece.fragments:
            found = others | {piece.fragment: (segment_id, piece)}
            return [found[number] for number in range(piece.fragments)]
        others[piece.fragment] = segment_id, piece
        return None

    def _of_chain(self, segment_id: int, piece: Contents) -> list[Piece] | None:
        before = self._begun.get(piece.reference) if piece.fragment else []
        if before is None:
            if piece.reference in self._following:
                raise BitstreamError("a fragment contradicts another")
            self._following[piece.reference] = segment_id, piece
            return None
        if before and not _continues(before[-1][1], piece):
            raise BitstreamError("a fragment contradicts another")
        more = [(segment_id, piece)]
        while (after := self._following.get(more[-1][0])) is not None and _continues(more[-1][1], after[1]):
            more.append(after)
        last_id, last = more[-1]
        if last.fragment + 1 == last.fragments:
            return before + more
        for number, _ in more[:-1]:
            del self._following[number]
        if before:
            del self._begun[piece.reference]
        before += more
        self._begun[last_id] = before
        return None


def _continues(last: Contents, piece: Contents) -> bool:
    """Whether a fragment comes after another, to which it refers."""
    return (piece.fragment, piece.fragments, piece.form) == (last.fragment + 1, last.fragments, last.form)

"""Segments that cannot be decoded yet: fragments of others, and those that wait for what they refer to.

All of it in constant time a segment, whatever a peer sends.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from progressive.codecs.rmpgc.segments import BASE, Contents
from progressive.errors import BitstreamError


@dataclass(frozen=True)
class Whole:
    """A segment, put together if it came in fragments. Fields: contents; the ids that it had."""

    contents: Contents
    ids: tuple[int, ...]


@dataclass
class Fragments:
    """Fragments whose others are missing.

    Those of the base belong together by what they say they hold; of the others each refers to the one before.
    """

    count: int = 0
    _base: dict[Contents, dict[int, tuple[int, Contents]]] = field(default_factory=dict)
    _begun: dict[int, list[tuple[int, Contents]]] = field(default_factory=dict)
    """Id of the last one that follows from the first -> all up to it."""
    _following: dict[int, tuple[int, Contents]] = field(default_factory=dict)
    """Id that a fragment refers to -> the fragment."""

    def joined(self, segment_id: int, piece: Contents) -> Whole | None:
        """The whole that a segment is or completes; raises BitstreamError if it contradicts another fragment."""
        if piece.fragments == 1:
            return Whole(piece, (segment_id,))
        found = self._of_base(segment_id, piece) if piece.form == BASE else self._of_chain(segment_id, piece)
        if found is None:
            self.count += 1
            return None
        self.count -= len(found) - 1
        body = b"".join(p.body for _, p in found)
        first = found[0][1]
        return Whole(replace(first, body=body, fragment=0, fragments=1), tuple(i for i, _ in found))

    def _of_base(self, segment_id: int, piece: Contents) -> list[tuple[int, Contents]] | None:
        others = self._base.setdefault(piece.whole, {})
        if piece.fragment in others or any(o.fragments != piece.fragments for _, o in list(others.values())[:1]):
            raise BitstreamError("a fragment contradicts another")
        others[piece.fragment] = segment_id, piece
        if len(others) < piece.fragments:
            return None
        del self._base[piece.whole]
        return [others[i] for i in range(piece.fragments)]

    def _of_chain(self, segment_id: int, piece: Contents) -> list[tuple[int, Contents]] | None:
        if piece.fragment == 0:
            chain = [(segment_id, piece)]
        elif piece.reference in self._begun:
            chain = self._begun.pop(piece.reference)
            self._append(chain, segment_id, piece)
        elif piece.reference in self._following:
            raise BitstreamError("a fragment contradicts another")
        else:
            self._following[piece.reference] = segment_id, piece
            return None
        while (after := self._following.pop(chain[-1][0], None)) is not None:
            self._append(chain, *after)
        if len(chain) == piece.fragments:
            return chain
        self._begun[chain[-1][0]] = chain
        return None

    def _append(self, chain: list[tuple[int, Contents]], segment_id: int, piece: Contents) -> None:
        last = chain[-1][1]
        if (piece.fragment, piece.fragments, piece.form) != (last.fragment + 1, last.fragments, last.form):
            self.count -= len(chain)
            raise BitstreamError("a fragment contradicts another")
        chain.append((segment_id, piece))


@dataclass
class Waiting:
    """Whole segments by what they wait for: the id of another one, or (tile, scale) of the base. Field: ids held."""

    count: int = 0
    _by_need: dict[int | tuple[int, int], list[Whole]] = field(default_factory=dict)

    def add(self, need: int | tuple[int, int], whole: Whole) -> None:
        self.count += len(whole.ids)
        self._by_need.setdefault(need, []).append(whole)

    def released(self, need: int | tuple[int, int]) -> list[Whole]:
        """Those that waited for this."""
        found = self._by_need.pop(need, [])
        self.count -= sum(len(whole.ids) for whole in found)
        return found

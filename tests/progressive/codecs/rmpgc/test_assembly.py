"""Fragments and waiting segments, in any order, in work that grows with their number."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from progressive.codecs.rmpgc.assembly import Fragments, Whole
from progressive.codecs.rmpgc.segments import ALL, BASE, RUN, SET, Contents
from progressive.errors import BitstreamError

Pieces = dict[int, Contents]
"""Segments by their id."""


def of_base(count: int, *, first_id: int = 1, tile: int = 0) -> Pieces:
    return {
        first_id + i: Contents(BASE, b"%d " % i, tile=tile, run=3, fragment=i, fragments=count) for i in range(count)
    }


def of_chain(count: int, *, first_id: int = 10, apart: int = 3, form: int = ALL, reference: int = 1) -> Pieces:
    """Each refers to the one before, the first to another segment."""
    ids = [first_id + apart * i for i in range(count)]
    references = [reference, *ids[:-1]]
    return {
        number: Contents(form, b"%d " % i, reference=to, fragment=i, fragments=count)
        for i, (number, to) in enumerate(zip(ids, references, strict=True))
    }


def whole_of(pieces: Pieces) -> Whole:
    first = next(iter(pieces.values()))
    body = b"".join(piece.body for piece in pieces.values())
    return Whole(replace(first, body=body, fragment=0, fragments=1), tuple(pieces))


def pushed(fragments: Fragments, pieces: list[tuple[int, Contents]]) -> list[Whole]:
    """The wholes that fragments make in this order, each forgotten at once."""
    found = []
    for number, piece in pieces:
        whole = fragments.joined(number, piece)
        if whole is not None:
            fragments.forget(whole)
            found.append(whole)
    return found


@settings(deadline=None)
@given(order=st.randoms(use_true_random=False), counts=st.lists(st.integers(2, 7), min_size=4, max_size=4))
def test_fragments_join_in_any_order_beside_others(order: random.Random, counts: list[int]) -> None:
    wholes = [
        of_base(counts[0]),
        of_base(counts[1], first_id=100, tile=1),
        of_chain(counts[2], first_id=200, form=SET),
        of_chain(counts[3], first_id=300, form=RUN, apart=1),
    ]
    pieces = [item for whole in wholes for item in whole.items()]
    order.shuffle(pieces)
    fragments = Fragments()
    found = pushed(fragments, pieces)
    assert sorted(found, key=lambda w: w.ids) == [whole_of(whole) for whole in wholes]
    assert fragments.count == 0
    assert not any((fragments._base, fragments._begun, fragments._following))


@pytest.mark.parametrize("make", [of_base, of_chain])
def test_fragments_are_counted_until_they_are_a_whole(make: type) -> None:
    fragments, pieces = Fragments(), list(make(4).items())
    for held, (number, piece) in enumerate(pieces[1:], 1):
        assert fragments.joined(number, piece) is None
        assert fragments.count == held
    whole = fragments.joined(*pieces[0])
    assert whole is not None
    assert fragments.count == 3
    fragments.forget(whole)
    assert fragments.count == 0


def test_what_is_whole_passes_through() -> None:
    fragments, contents = Fragments(), Contents(SET, b"code", reference=3)
    assert fragments.joined(7, contents) == Whole(contents, (7,))
    assert fragments.count == 0


@pytest.mark.parametrize("last", range(4))
@pytest.mark.parametrize("make", [of_base, of_chain])
def test_a_whole_that_proved_damaged_may_come_whole_with_another_fragment(make: type, last: int) -> None:
    """Nothing that was there is lost by a damaged one."""
    fragments, pieces = Fragments(), make(4)
    number = list(pieces)[last]
    others = [item for item in pieces.items() if item[0] != number]
    assert not pushed(fragments, others)
    damaged = fragments.joined(number, replace(pieces[number], body=b"damaged"))
    assert damaged is not None
    assert b"damaged" in damaged.contents.body
    assert fragments.count == 3
    assert pushed(fragments, [(number, pieces[number])]) == [whole_of(pieces)]
    assert fragments.count == 0


def contradictions() -> Iterator[tuple[str, Pieces, list[int], int, Contents]]:
    """A name, a whole, which of it are there, and a segment that contradicts them."""
    base, chain = of_base(4), of_chain(4)
    third = chain[16]
    yield "a base's fragment twice", base, [2], 50, base[2]
    yield "another number of a base's fragments", base, [2], 50, replace(base[3], fragments=5)
    yield "two after the same", chain, [16], 50, third
    yield "the wrong one after a first", chain, [10], 50, replace(chain[13], fragment=2)
    yield "another number of them", chain, [10], 50, replace(chain[13], fragments=5)
    yield "another form", chain, [10, 13], 50, replace(third, form=SET)


@pytest.mark.parametrize("case", list(contradictions()), ids=lambda case: case[0])
def test_a_fragment_that_contradicts_others_is_refused_and_leaves_them(
    case: tuple[str, Pieces, list[int], int, Contents],
) -> None:
    _, pieces, there, number, odd = case
    fragments = Fragments()
    assert not pushed(fragments, [(n, pieces[n]) for n in there])
    with pytest.raises(BitstreamError, match="contradicts another"):
        fragments.joined(number, odd)
    assert fragments.count == len(there)
    rest = [(n, piece) for n, piece in pieces.items() if n not in there]
    assert pushed(fragments, rest) == [whole_of(pieces)]


def test_what_waited_and_does_not_follow_stops_nothing() -> None:
    """It came before what it refers to, so it was kept; the right one still follows."""
    fragments, pieces = Fragments(), of_chain(4)
    assert fragments.joined(50, replace(pieces[16], fragment=3)) is None
    assert fragments.joined(51, Contents(SET, b"", reference=16, fragment=1, fragments=2)) is None
    assert pushed(fragments, list(pieces.items())) == [whole_of(pieces)]
    assert fragments.count == 2


def test_a_first_fragment_leaves_a_chain_that_it_refers_to() -> None:
    fragments, pieces = Fragments(), of_chain(3)
    assert fragments.joined(10, pieces[10]) is None
    assert fragments.joined(50, replace(pieces[10], reference=10)) is None
    assert pushed(fragments, [(13, pieces[13]), (16, pieces[16])]) == [whole_of(pieces)]


class Counted(Contents):
    """Contents that count how often any is looked at."""

    looks: ClassVar[Counter[str]] = Counter()

    def __getattribute__(self, name: str) -> object:
        if not name.startswith("__"):
            Counted.looks[name] += 1
        return super().__getattribute__(name)


def counted(piece: Contents) -> Counted:
    return Counted(**{name: getattr(piece, name) for name in Contents.__slots__})


ORDERS = {"as sent": 0, "reversed": 1, "shuffled": 2, "the first last": 3}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("make", [of_base, of_chain])
def test_twice_the_fragments_take_twice_the_work(make: type, order: str) -> None:
    def looks(count: int) -> int:
        pieces = [(number, counted(piece)) for number, piece in make(count).items()]
        if order == "reversed":
            pieces.reverse()
        elif order == "shuffled":
            random.Random(count).shuffle(pieces)
        elif order == "the first last":
            pieces.append(pieces.pop(0))
        Counted.looks.clear()
        assert len(pushed(Fragments(), pieces)) == 1
        return Counted.looks.total()

    few, many = looks(200), looks(800)
    assert few >= 200
    assert many < 4.4 * few

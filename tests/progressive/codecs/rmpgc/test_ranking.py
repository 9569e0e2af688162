from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.scales import DEPTH, LEVELS, SCALES, layout_of
from progressive.codecs.rmpgc.codec import CodedPhoto
from progressive.codecs.rmpgc.ranking import Draft, drafts_of, ordered
from progressive.codecs.rmpgc.segments import ALL, BASE, Contents, named

PAYLOADS = (60, 192, 600, 20_000)
TWO_TILES = layout_of(700, 64)


def drafts(coded: CodedPhoto, coding: Coding, max_payload: int, importance: list[float] | None = None) -> list[Draft]:
    tile = coded.coded.tiles[0]
    weights = np.ones(tile.window.blocks) if importance is None else np.array(importance)
    return drafts_of(0, tile, weights, coding.tables, coded.layout, max_payload)


def blocks_of(made: list[Draft], coded: CodedPhoto) -> dict[int, tuple[int, ...]]:
    """The blocks of each draft by its identity: what a decoder lists for it, of the base all."""
    found: dict[int, tuple[int, ...]] = {}
    for one in made:
        contents = one.contents
        if contents.form == BASE:
            found[id(one)] = coded.coded.tiles[0].by_activity
        else:
            listed = found[id(one.needs[0])]
            found[id(one)] = listed if contents.fragment else named(contents.form, contents.body, listed)[0]
    return found


def base(run: tuple[int, int], utility: float, needs: list[Draft], tile: int = 0) -> Draft:
    return Draft(Contents(BASE, bytes(18), tile, DEPTH.runs.index(run)), 0, utility, needs)


def enhance(level: int, utility: float, size: int, needs: list[Draft]) -> Draft:
    """One whose code and a byte of its prefix are so large."""
    return Draft(Contents(ALL, bytes(size - 1)), level, utility, needs, DEPTH.layer_of(level))


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_segments_fit_and_hold_every_level_of_every_block_once(
    coded: CodedPhoto, coding: Coding, max_payload: int
) -> None:
    made = drafts(coded, coding, max_payload)
    assert max(len(s.payload) for s in ordered(made, coded.layout)) <= max_payload
    runs = [DEPTH.runs[d.contents.run] for d in made if not d.level and not d.contents.fragment]
    assert [scale for first, last in runs for scale in range(first, last + 1)] == list(range(SCALES))
    blocks = blocks_of(made, coded)
    found = sorted((d.level, b) for d in made if d.level and not d.contents.fragment for b in blocks[id(d)])
    assert found == [(level, block) for level in range(1, LEVELS + 1) for block in range(6)]
    for number, one in enumerate(made):
        if one.contents.fragment == 0:
            pieces = [d.contents for d in made[number : number + one.contents.fragments]]
            assert [p.fragment for p in pieces] == list(range(one.contents.fragments))
            assert {p.fragments for p in pieces} == {one.contents.fragments}


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_a_draft_needs_the_one_that_holds_its_blocks_a_level_before(
    coded: CodedPhoto, coding: Coding, max_payload: int
) -> None:
    made = drafts(coded, coding, max_payload)
    blocks = blocks_of(made, coded)
    for number, one in enumerate(made):
        needs = one.needs
        if number == 0:
            assert not needs
        elif one.contents.fragment or not one.level:
            assert needs == [made[number - 1]]
        else:
            (before,) = needs
            assert before.level == one.level - 1
            assert before.contents.fragment == before.contents.fragments - 1
            assert set(blocks[id(one)]) <= set(blocks[id(before)])


def test_the_base_takes_as_few_segments_as_hold_it(coded: CodedPhoto, coding: Coding) -> None:
    runs = [
        [DEPTH.runs[d.contents.run] for d in drafts(coded, coding, payload) if not d.level and not d.contents.fragment]
        for payload in PAYLOADS
    ]
    assert runs[-1] == [(0, SCALES - 1)]
    assert SCALES >= len(runs[0]) > len(runs[1]) >= len(runs[2]) >= 1


def test_what_is_worth_most_a_byte_comes_first_and_needs_before_it() -> None:
    """The base of all tiles scale by scale before anything else."""
    coarse = [base((0, 3), 1, []), base((0, 2), 1, [], tile=1)]
    fine = [base((4, 6), 9, coarse[:1]), base((3, 6), 9, coarse[1:], tile=1)]
    poor = enhance(1, 10, 100, fine[:1])
    behind = enhance(2, 900, 90, [poor])
    rich = enhance(1, 40, 100, fine[1:])
    least = enhance(2, 1, 50, [rich])
    segments = ordered([*coarse, *fine, poor, behind, rich, least], TWO_TILES)
    expected = [coarse[1], coarse[0], *fine, rich, poor, behind, least]
    assert [s.utility for s in segments] == [d.utility for d in expected]
    assert [s.id for s in segments] == list(range(1, 9))
    assert [s.depends_on for s in segments] == [(), (), (2,), (1,), (4,), (3,), (6,), (5,)]
    assert [s.layer for s in segments] == [0] * 4 + [1] * 4
    for segment, one in zip(segments, expected, strict=True):
        contents = Contents.from_bytes(segment.payload, segment.id, TWO_TILES)
        assert (contents.body, contents.tile) == (one.contents.body, one.contents.tile)
        assert contents.reference == (segment.depends_on[-1] if one.level else 0)


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_no_segment_that_could_come_earlier_is_worth_more(coded: CodedPhoto, coding: Coding, max_payload: int) -> None:
    made = drafts(coded, coding, max_payload)
    segments = ordered(made, coded.layout)
    first = sum(s.layer == 0 for s in segments)
    assert all(s.layer == 0 for s in segments[:first])
    density = {s.id: s.utility / (1 + len(Contents.from_bytes(s.payload, s.id, coded.layout).body)) for s in segments}
    for place, segment in enumerate(segments[first:], first):
        sent = {s.id for s in segments[:place]}
        ready = [s for s in segments[place:] if sent.issuperset(s.depends_on)]
        assert density[segment.id] == max(density[s.id] for s in ready)


def test_blocks_of_the_same_segment_have_like_slopes(coded: CodedPhoto, coding: Coding) -> None:
    tile = coded.coded.tiles[0]
    importance = [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    slope = tile.gains[0] * importance / (tile.bits[0] + 1)
    made = drafts(coded, coding, 300, importance)
    blocks = blocks_of(made, coded)
    first = [list(blocks[id(d)]) for d in made if d.level == 1 and not d.contents.fragment]
    assert len(first) > 1
    for better, worse in pairwise(first):
        assert slope[better].min() >= slope[worse].max()


def test_without_importance_the_first_level_runs_along_the_list_of_the_base(coded: CodedPhoto, coding: Coding) -> None:
    made = drafts(coded, coding, 300)
    blocks = blocks_of(made, coded)
    first = [blocks[id(d)] for d in made if d.level == 1 and not d.contents.fragment]
    assert len(first) > 1
    activity = list(coded.coded.tiles[0].by_activity)
    for found in first:
        assert sorted(activity[: len(found)]) == list(found)
        activity = activity[len(found) :]


def test_importance_scales_what_a_block_is_worth(coded: CodedPhoto, coding: Coding) -> None:
    def utilities(importance: list[float]) -> list[float]:
        """Of the base, then of each level."""
        found = np.zeros(LEVELS + 1)
        for d in drafts(coded, coding, 20_000, importance):
            found[d.level] += d.utility
        return list(found)

    plain, twice, one = utilities([1.0] * 6), utilities([2.0] * 6), utilities([0, 0, 6, 0, 0, 0.0])
    gains = coded.coded.tiles[0].gains
    assert twice == pytest.approx([2 * utility for utility in plain])
    assert one[1:] == pytest.approx([6 * max(gains[level][2], 0) for level in range(LEVELS)])
    assert plain[0] == pytest.approx(coded.coded.tiles[0].base_gains.sum())
    assert plain[1:] == pytest.approx([max(gains[level].sum(), 0) for level in range(LEVELS)], rel=0.3)

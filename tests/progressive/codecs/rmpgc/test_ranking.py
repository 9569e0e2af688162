from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from progressive.codecs.rmpgc.codec import CodedPhoto
from progressive.codecs.rmpgc.layout import LEVELS, STAGES
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.ranking import Draft, drafts_of, ordered
from progressive.codecs.rmpgc.segments import Contents

PAYLOADS = (60, 192, 600, 20_000)


def drafts(coded: CodedPhoto, model: Model, max_payload: int, importance: list[float] | None = None) -> list[Draft]:
    tile = coded.tiles[0]
    weights = np.ones(tile.window.blocks) if importance is None else np.array(importance)
    return drafts_of(0, tile, weights, model.tables, max_payload)


def draft(step: int, utility: float, size: int, needs: list[Draft], tile: int = 0) -> Draft:
    """One whose payload has this many bytes; block 0 if it is of a level."""
    blocks = (0,) if step >= len(STAGES) else ()
    prefix = len(Contents(tile, step, blocks).to_bytes())
    return Draft(Contents(tile, step, blocks, bytes(size - prefix)), utility, needs)


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_drafts_fit_and_hold_every_level_of_every_block_once(coded: CodedPhoto, model: Model, max_payload: int) -> None:
    made = drafts(coded, model, max_payload)
    assert max(len(d.contents.to_bytes()) for d in made) <= max_payload
    wholes = [d.contents for d in made if d.contents.fragment == 0]
    assert [c.step for c in wholes if not c.level] == list(range(len(STAGES)))
    found = sorted((c.level, block) for c in wholes for block in c.blocks)
    assert found == [(level, block) for level in range(1, LEVELS + 1) for block in range(6)]
    for contents in wholes:
        pieces = [d.contents for d in made if d.contents.whole == contents.whole]
        assert [p.fragment for p in pieces] == list(range(contents.fragments))


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_a_draft_needs_exactly_what_its_blocks_need(coded: CodedPhoto, model: Model, max_payload: int) -> None:
    made = drafts(coded, model, max_payload)
    for number, one in enumerate(made):
        held = {need.contents.whole for need in one.needs}
        step, blocks = one.contents.step, set(one.contents.blocks)
        before = {d.contents.whole for d in made[:number] if d.contents.step == min(step, len(STAGES)) - 1}
        if one.contents.level > 1:
            same = [d.contents for d in made[:number] if d.contents.step == step - 1]
            before = {c.whole for c in same if blocks & set(c.blocks)}
            assert all(blocks <= set(c.blocks) for c in same if blocks & set(c.blocks))
        if one.contents.fragment:
            before.add(one.contents.whole)
        assert held == before


def test_what_is_worth_most_a_byte_comes_first_and_needs_before_it() -> None:
    stages = [draft(0, 9, 20, []), draft(0, 9, 20, [], tile=1)]
    stages += [draft(1, 5, 20, stages[:1]), draft(1, 5, 20, stages[1:], tile=1)]
    stages += [draft(2, 1, 20, stages[2:3]), draft(2, 1, 20, stages[3:4], tile=1)]
    level = len(STAGES)
    poor = draft(level, 10, 100, stages[4:5])
    behind = draft(level + 1, 900, 90, [poor])
    rich = draft(level, 40, 100, stages[5:6], tile=1)
    least = draft(level + 1, 1, 50, [rich], tile=1)
    all_drafts = [*stages, poor, behind, rich, least]
    segments = ordered(all_drafts)
    expected = [stages[0], stages[1], stages[2], stages[3], stages[4], stages[5], rich, poor, behind, least]
    assert [s.payload for s in segments] == [d.contents.to_bytes() for d in expected]
    assert [s.id for s in segments] == list(range(1, 11))
    assert [s.depends_on for s in segments[6:]] == [(6,), (5,), (8,), (7,)]
    assert [s.layer for s in segments] == [0] * 6 + [1] * 4
    assert [s.utility for s in segments[6:]] == [40, 10, 900, 1]


@pytest.mark.parametrize("max_payload", PAYLOADS)
def test_no_segment_that_could_come_earlier_is_worth_more(coded: CodedPhoto, model: Model, max_payload: int) -> None:
    segments = ordered(drafts(coded, model, max_payload))
    base = sum(s.layer == 0 for s in segments)
    assert all(s.layer == 0 for s in segments[:base])
    density = {s.id: s.utility / len(s.payload) for s in segments}
    for place, segment in enumerate(segments[base:], base):
        sent = {s.id for s in segments[:place]}
        ready = [s for s in segments[place:] if sent.issuperset(s.depends_on)]
        assert density[segment.id] == max(density[s.id] for s in ready)


def test_blocks_of_the_same_segment_have_like_slopes(coded: CodedPhoto, model: Model) -> None:
    tile = coded.tiles[0]
    slope = tile.gains[0] / (tile.bits[0] + 1)
    first = [list(d.contents.blocks) for d in drafts(coded, model, 300) if d.contents.level == 1]
    assert len(first) > 1
    for better, worse in pairwise(first):
        assert slope[better].min() >= slope[worse].max()


def test_importance_scales_what_a_block_is_worth(coded: CodedPhoto, model: Model) -> None:
    def utilities(importance: list[float]) -> dict[tuple[int, int], float]:
        made = drafts(coded, model, 20_000, importance)
        return {(d.contents.tile, d.contents.step): d.utility for d in made}

    plain, twice, one = utilities([1.0] * 6), utilities([2.0] * 6), utilities([0, 0, 6, 0, 0, 0.0])
    gains = coded.tiles[0].gains.clip(min=0)
    for key, utility in plain.items():
        assert twice[key] == pytest.approx(2 * utility)
    for level in range(1, LEVELS + 1):
        assert one[0, len(STAGES) + level - 1] == pytest.approx(6 * gains[level - 1][2])
    assert sum(utility for (_, step), utility in plain.items() if step >= len(STAGES)) == pytest.approx(
        coded.tiles[0].gains.sum(), rel=0.05
    )

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from progressive.codecs.rmpgc.backbones.multiscale.choices import Choices, joined
from progressive.codecs.rmpgc.backbones.multiscale.coding import FINE_BASE_TABLE, NEVER, PLANE_ROWS
from progressive.codecs.rmpgc.backbones.multiscale.model import Coding
from progressive.codecs.rmpgc.backbones.multiscale.points import values_of
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import base_index, bin_of, child_of, refine
from progressive.codecs.rmpgc.backbones.multiscale.scales import (
    BLOCK_SIDES,
    CHANNELS,
    LEVELS,
    PLANES,
    SCALES,
    TIERS,
    plane_and_tier,
)
from progressive.codecs.rmpgc.backbones.multiscale.tile import (
    LevelResult,
    Target,
    TileState,
    code_everything,
    code_level,
)
from progressive.codecs.rmpgc.blocks import to_blocks
from progressive.exact.coders import CostMeter, JointCoder, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.tables import TOTAL, FrequencyTable

ROWS, COLUMNS = 2, 3
BLOCKS = list(range(ROWS * COLUMNS))


@pytest.fixture(scope="module", autouse=True)
def _without_gradients() -> object:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def target(coding: Coding, latent: list[Tensor]) -> Target:
    return Target(latent, Choices(latent[0], 0.0, coding.tables, coding.points))


def fresh(coding: Coding) -> TileState:
    return TileState(ROWS, COLUMNS, coding)


def with_base(coding: Coding, target: Target) -> TileState:
    state = fresh(coding)
    state.keep_stages(state.code_stages(CostMeter(coding.tables, 1), SCALES, target.base()))
    return state


def coded_level(
    coding: Coding, state: TileState, target: Target, level: int, blocks: list[int]
) -> tuple[LevelResult, bytes]:
    encoder = RangeSymbolEncoder(coding.tables)
    return state.code_level(encoder, level, blocks, target.level(level, blocks)), encoder.to_bytes()


def decode_level(coding: Coding, state: TileState, code: bytes, level: int, blocks: list[int]) -> LevelResult:
    decoder = RangeSymbolDecoder(coding.tables, code)
    result = state.code_level(decoder, level, blocks)
    decoder.finish()
    return result


def known(state: TileState) -> list[Tensor]:
    return [t.clone() for part in (state.index, state.symbols, state.tiers, state.points) for t in part]


def same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("runs", [[SCALES], [1] * SCALES, [4, 3]])
def test_decoding_finds_what_encoding_wrote(coding: Coding, target: Target, runs: list[int]) -> None:
    sender, receiver = fresh(coding), fresh(coding)
    for count in runs:
        encoder = RangeSymbolEncoder(coding.tables)
        sender.keep_stages(sender.code_stages(encoder, count, target.base()))
        decoder = RangeSymbolDecoder(coding.tables, encoder.to_bytes())
        receiver.keep_stages(receiver.code_stages(decoder, count))
        decoder.finish()
        assert sender.stages == receiver.stages
        assert same(known(sender), known(receiver))
    assert receiver.base_complete
    assert sender.by_activity == receiver.by_activity
    for level in range(1, LEVELS + 1):
        result, code = coded_level(coding, sender, target, level, BLOCKS)
        sender.keep_level(result)
        receiver.keep_level(decode_level(coding, receiver, code, level, BLOCKS))
        assert same(known(sender), known(receiver))
    assert receiver.levels.tolist() == [LEVELS] * len(BLOCKS)


def test_a_level_of_some_blocks_is_what_it_is_among_all(coding: Coding, target: Target) -> None:
    together, apart = with_base(coding, target), with_base(coding, target)
    for level in range(1, LEVELS + 1):
        whole, _ = coded_level(coding, together, target, level, BLOCKS)
        for blocks in ([4], [0, 2, 3], [1, 5]):
            part, code = coded_level(coding, apart, target, level, blocks)
            decoded = decode_level(coding, apart, code, level, blocks)
            for found in (part, decoded):
                assert same(found.symbols, [s[blocks] for s in whole.symbols])
                assert same(found.tiers, [t[blocks] for t in whole.tiers])
                assert same(found.points, [p[blocks] for p in whole.points])
            apart.keep_level(decoded)
        together.keep_level(whole)
        assert same(known(apart), known(together))


def test_blocks_may_be_at_different_levels(coding: Coding, target: Target) -> None:
    ahead, even = with_base(coding, target), with_base(coding, target)
    for level in range(1, LEVELS + 1):
        ahead.keep_level(coded_level(coding, ahead, target, level, [1])[0])
        even.keep_level(coded_level(coding, even, target, level, BLOCKS)[0])
    assert ahead.levels.tolist() == [0, LEVELS, 0, 0, 0, 0]
    assert same([t[1] for t in ahead.index], [t[1] for t in even.index])
    assert same([t[0] for t in ahead.index], [t[0] for t in with_base(coding, target).index])


def test_nothing_changes_until_it_is_kept(coding: Coding, target: Target) -> None:
    state = fresh(coding)
    state.code_stages(CostMeter(coding.tables, 1), 3, target.base())
    assert (state.stages, state.index) == (0, [])
    state = with_base(coding, target)
    before = known(state)
    result, _ = coded_level(coding, state, target, 1, BLOCKS)
    assert same(known(state), before)
    assert not state.levels.any()
    state.keep_level(result)
    before = known(state)
    coded_level(coding, state, target, 2, [0, 5])
    assert same(known(state), before)
    assert state.levels.tolist() == [1] * len(BLOCKS)


def writing_everything(coding: Coding) -> Coding:
    """With neither symbols of the base that are sure nor symbols of planes that never come."""
    even = np.full_like(coding.tables[FINE_BASE_TABLE].frequencies, TOTAL // 6)
    even[:, 0] += TOTAL - even[0].sum()
    tiers = {plane: np.where(t == NEVER, 1, t).astype(np.uint8) for plane, t in coding.tier_of_row.items()}
    return replace(coding, tables=coding.tables | {FINE_BASE_TABLE: FrequencyTable(even)}, tier_of_row=tiers)


def test_true_symbols_are_the_nested_indices_and_chosen_ones_cost_less(coding: Coding, latent: list[Tensor]) -> None:
    everything = writing_everything(coding)
    index = [base_index(y) for y in latent]
    for plane in range(1, PLANES + 1):
        index = [child_of(n, refine(y, n, plane), plane) for y, n in zip(latent, index, strict=True)]
    expected = [to_blocks(n, side).to(torch.int16) for n, side in zip(index, BLOCK_SIDES, strict=True)]
    states = [fresh(everything) for _ in range(2)]
    meters = [CostMeter(everything.tables, len(BLOCKS)) for _ in range(2)]
    for state, meter, tables in zip(states, meters, (None, everything.tables), strict=True):
        target = Target(latent, Choices(latent[0], 0.0, tables, everything.points))
        assert list(code_everything(state, target, meter)) == list(range(LEVELS + 1))
    true, chosen = states
    assert same(true.index, expected)
    assert not same(chosen.index, expected)
    assert meters[1].bits.sum() < meters[0].bits.sum()
    for y, n, side in zip(latent, chosen.index, BLOCK_SIDES, strict=True):
        lower, upper = bin_of(n.float(), PLANES)
        values = to_blocks(y, side)
        outside = torch.maximum(lower - values, values - upper).clamp(min=0)
        assert float(outside.square().mean()) < 0.05


def test_each_symbol_is_coded_in_one_tier_and_the_first_is_known_before_the_second(
    coding: Coding, target: Target
) -> None:
    state = with_base(coding, target)
    for plane in range(PLANES):
        first, _ = coded_level(coding, state, target, 1 + 2 * plane, BLOCKS)
        state.keep_level(first)
        second, _ = coded_level(coding, state, target, 2 + 2 * plane, BLOCKS)
        assert same(first.tiers, second.tiers)
        for scale in range(SCALES):
            early = first.tiers[scale] == 0
            assert 0 < int(early.sum()) < early.numel()
            assert not first.symbols[scale][~early].any()
            assert torch.equal(second.symbols[scale][early], first.symbols[scale][early])
            assert not second.symbols[scale][first.tiers[scale] == NEVER].any()
        state.keep_level(second)


def test_values_are_those_of_the_finest_bins_that_are_known(coding: Coding, target: Target) -> None:
    state = with_base(coding, target)
    some = slice(1, 4)
    for level in range(LEVELS + 1):
        if level:
            before = [n.clone() for n in state.index]
            state.keep_level(coded_level(coding, state, target, level, BLOCKS)[0])
        plane, tier = plane_and_tier(level) if level else (0, TIERS - 1)
        for scale in range(SCALES):
            found, points = state.values(some, level, scale), state.points[scale][some]
            if tier == TIERS - 1:
                expected = values_of(state.index[scale][some], points, plane)
            else:
                index, symbols, tiers = before[scale][some], state.symbols[scale][some], state.tiers[scale][some]
                finer = values_of(child_of(index, symbols, plane), points, plane)
                expected = torch.where(tiers == 1, values_of(index, points, plane - 1), finer)
            assert torch.equal(found, expected)


def test_every_level_brings_values_nearer(coding: Coding, target: Target) -> None:
    everything = writing_everything(coding)
    state, errors = fresh(everything), []
    for level in code_everything(state, target, CostMeter(everything.tables, len(BLOCKS))):
        values = [state.values(slice(None), level, scale) for scale in range(SCALES)]
        errors.append(sum(float((a - b).square().sum()) for a, b in zip(values, target.blocks, strict=True)))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.05 * errors[0]


def test_the_most_active_blocks_come_first(coding: Coding, latent: list[Tensor]) -> None:
    """Those of which the base has most detail, in the order of their numbers where that is equal."""
    amount = torch.tensor([0.0, 9.0, 4.0, 0.0, 20.0, 4.0]).reshape(1, 1, ROWS, COLUMNS)
    sides = zip(latent, BLOCK_SIDES, strict=True)
    made = [amount.repeat_interleave(s, 2).repeat_interleave(s, 3).expand_as(y).clone() for y, s in sides]
    state = with_base(coding, Target(made, Choices(made[0])))
    sizes = sum(n.abs().sum((1, 2, 3), dtype=torch.int64) for n in state.index[1:])
    activity = state.by_activity
    assert sorted(activity) == BLOCKS
    assert activity[:2] == (4, 1)
    assert [int(sizes[b]) for b in activity] == sorted(sizes.tolist(), reverse=True)


def test_a_result_of_some_blocks_is_theirs(coding: Coding, target: Target) -> None:
    state = with_base(coding, target)
    result, _ = coded_level(coding, state, target, 1, [0, 2, 3, 5])
    some = result.only([2, 5])
    assert some.blocks == [2, 5]
    for part, whole in ((some.symbols, result.symbols), (some.tiers, result.tiers), (some.points, result.points)):
        assert same(part, [t[[1, 3]] for t in whole])
    state.keep_level(some)
    state.keep_level(result.only([]))
    assert state.levels.tolist() == [0, 0, 1, 0, 0, 1]


def test_a_base_that_is_not_whole_lists_no_blocks(coding: Coding, target: Target) -> None:
    state = fresh(coding)
    state.keep_stages(state.code_stages(CostMeter(coding.tables, 1), SCALES - 1, target.base()))
    assert state.by_activity == ()


def test_targets_price_each_level_and_hold_its_blocks(target: Target) -> None:
    base, level = target.base(), target.level(3, [1, 4])
    assert same([c.values for c in base], target.latent)
    assert same([c.values for c in level], [y[[1, 4]] for y in target.blocks])
    prices = [base[0].price, *(target.level(n, [0])[0].price for n in range(1, LEVELS + 1))]
    assert prices == sorted(set(prices), reverse=True)


def test_blocks_are_numbered_row_by_row() -> None:
    side = 4
    rows, columns = np.indices((ROWS * side, COLUMNS * side)) // side
    values = torch.from_numpy((COLUMNS * rows + columns)[None, None]).expand(1, CHANNELS[1], -1, -1)
    blocks = to_blocks(values, side)
    assert blocks.shape == (len(BLOCKS), CHANNELS[1], side, side)
    assert blocks.flatten(1).unique(dim=1)[:, 0].tolist() == BLOCKS


def test_tiers_have_a_row_for_every_look(coding: Coding) -> None:
    assert {plane: tiers.shape for plane, tiers in coding.tier_of_row.items()} == dict.fromkeys(
        range(1, PLANES + 1), (PLANE_ROWS,)
    )


def test_tiles_go_through_a_level_together_as_each_does_alone(coding: Coding, target: Target) -> None:
    """All blocks of one and some of another, of other coefficients, at both tiers of a plane."""
    other = [y.flip(-1).contiguous() for y in target.latent]
    targets = [target, Target(other, target.choose)]
    chosen = [BLOCKS, BLOCKS[1:3]]
    alone, joint = ([with_base(coding, own) for own in targets] for _ in range(2))
    for level in (1, 2):
        each = zip(alone, targets, chosen, strict=True)
        expected = [coded_level(coding, state, own, level, blocks) for state, own, blocks in each]
        encoders = [RangeSymbolEncoder(coding.tables) for _ in targets]
        choices = [t.level(level, blocks) for t, blocks in zip(targets, chosen, strict=True)]
        found = code_level(
            list(zip(joint, chosen, strict=True)),
            JointCoder(encoders, [len(blocks) for blocks in chosen]),
            level,
            [joined(scale) for scale in zip(*choices, strict=True)],
        )
        assert [encoder.to_bytes() for encoder in encoders] == [code for _, code in expected]
        for state, own, result, (wanted, _) in zip(joint, alone, found, expected, strict=True):
            state.keep_level(result)
            own.keep_level(wanted)
            assert all(torch.equal(a, b) for a, b in zip(known(state), known(own), strict=True))

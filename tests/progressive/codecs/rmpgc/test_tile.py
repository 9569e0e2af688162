from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from progressive.codec import Photo
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, CHANNELS, LEVELS, PLANES, SCALES, STAGES, Layout
from progressive.codecs.rmpgc.model import Model
from progressive.codecs.rmpgc.picture import latent_of
from progressive.codecs.rmpgc.quantiser import base_index, bin_of, child_of, refine
from progressive.codecs.rmpgc.tile import LevelResult, Target, TileState, code_everything, to_blocks
from progressive.entropy.coders import CostMeter, RangeSymbolDecoder, RangeSymbolEncoder

ROWS, COLUMNS = 2, 3
BLOCKS = list(range(ROWS * COLUMNS))


@pytest.fixture(scope="module", autouse=True)
def _without_gradients() -> object:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def latent(model: Model, photo: Photo) -> list[Tensor]:
    with torch.inference_mode():
        return latent_of(photo, Layout(photo.shape[1], photo.shape[0]), model.analysis)


@pytest.fixture(scope="module")
def target(model: Model, latent: list[Tensor]) -> Target:
    return Target.of(latent, model.dequantiser, model.tables)


def fresh(model: Model) -> TileState:
    return TileState(ROWS, COLUMNS, model.networks, model.tiers)


def with_base(model: Model, target: Target) -> TileState:
    state = fresh(model)
    for _ in STAGES:
        state.keep_stage(state.code_stage(CostMeter(model.tables, 1), target.base))
    return state


def coded_level(
    model: Model, state: TileState, target: Target, level: int, blocks: list[int]
) -> tuple[LevelResult, bytes]:
    encoder = RangeSymbolEncoder(model.tables)
    return state.code_level(encoder, level, blocks, target.level(level, state)), encoder.to_bytes()


def known(state: TileState) -> list[Tensor]:
    return [t.clone() for part in (state.index, state.symbols, state.tiers) for t in part]


def same(first: Sequence[Tensor], second: Sequence[Tensor]) -> bool:
    return len(first) == len(second) and all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def decode_level(model: Model, state: TileState, code: bytes, level: int, blocks: list[int]) -> LevelResult:
    decoder = RangeSymbolDecoder(model.tables, code)
    result = state.code_level(decoder, level, blocks)
    decoder.finish()
    return result


def test_decoding_finds_what_encoding_wrote(model: Model, target: Target) -> None:
    sender, receiver = fresh(model), fresh(model)
    for stage in range(len(STAGES)):
        encoder = RangeSymbolEncoder(model.tables)
        sender.keep_stage(sender.code_stage(encoder, target.base))
        decoder = RangeSymbolDecoder(model.tables, encoder.to_bytes())
        receiver.keep_stage(receiver.code_stage(decoder))
        decoder.finish()
        assert sender.stages == receiver.stages == stage + 1
        assert same(known(sender), known(receiver))
    for level in range(1, LEVELS + 1):
        result, code = coded_level(model, sender, target, level, BLOCKS)
        sender.keep_level(result)
        receiver.keep_level(decode_level(model, receiver, code, level, BLOCKS))
        assert same(known(sender), known(receiver))
    assert receiver.levels.tolist() == [LEVELS] * len(BLOCKS)


def test_a_level_of_some_blocks_is_what_it_is_among_all(model: Model, target: Target) -> None:
    together, apart = with_base(model, target), with_base(model, target)
    for level in range(1, LEVELS + 1):
        whole, _ = coded_level(model, together, target, level, BLOCKS)
        for blocks in ([4], [0, 2, 3], [1, 5]):
            part, code = coded_level(model, apart, target, level, blocks)
            decoded = decode_level(model, apart, code, level, blocks)
            for found in (part, decoded):
                assert same(found.symbols, [s[blocks] for s in whole.symbols])
                assert same(found.tiers, [t[blocks] for t in whole.tiers])
            apart.keep_level(decoded)
        together.keep_level(whole)
        assert same(known(apart), known(together))


def test_blocks_may_be_at_different_levels(model: Model, target: Target) -> None:
    ahead, even = with_base(model, target), with_base(model, target)
    for level in range(1, LEVELS + 1):
        ahead.keep_level(coded_level(model, ahead, target, level, [1])[0])
        even.keep_level(coded_level(model, even, target, level, BLOCKS)[0])
    assert ahead.levels.tolist() == [0, LEVELS, 0, 0, 0, 0]
    assert same([t[1] for t in ahead.index], [t[1] for t in even.index])
    assert same([t[0] for t in ahead.index], [t[0] for t in with_base(model, target).index])


def test_nothing_changes_until_it_is_kept(model: Model, target: Target) -> None:
    state = fresh(model)
    state.code_stage(CostMeter(model.tables, 1), target.base)
    assert (state.stages, state.index) == (0, [])
    state = with_base(model, target)
    before = known(state)
    result, _ = coded_level(model, state, target, 1, BLOCKS)
    assert same(known(state), before)
    assert not state.levels.any()
    state.keep_level(result)
    before = known(state)
    coded_level(model, state, target, 2, [0, 5])
    assert same(known(state), before)
    assert state.levels.tolist() == [1] * len(BLOCKS)


def test_true_symbols_are_the_nested_indices_and_chosen_ones_lie_near(model: Model, latent: list[Tensor]) -> None:
    index = [base_index(y) for y in latent]
    for plane in range(1, PLANES + 1):
        index = [child_of(n, refine(y, n, plane), plane) for y, n in zip(latent, index, strict=True)]
    expected = [to_blocks(n, side).to(torch.int16) for n, side in zip(index, BLOCK_SIDES, strict=True)]
    true, chosen = fresh(model), fresh(model)
    meters = [CostMeter(model.tables, len(BLOCKS)) for _ in range(2)]
    code_everything(true, Target.of(latent, model.dequantiser, None), meters[0])
    code_everything(chosen, Target.of(latent, model.dequantiser, model.tables), meters[1])
    assert same(true.index, expected)
    assert not same(chosen.index, expected)
    assert meters[1].bits.sum() < meters[0].bits.sum()
    for y, n, side in zip(latent, chosen.index, BLOCK_SIDES, strict=True):
        lower, upper = bin_of(n.float(), PLANES)
        values = to_blocks(y, side)
        outside = torch.maximum(lower - values, values - upper).clamp(min=0)
        assert float(outside.square().mean()) < 0.05


def test_each_symbol_is_coded_in_one_tier_and_the_first_is_known_before_the_second(
    model: Model, target: Target
) -> None:
    state = with_base(model, target)
    for plane in range(PLANES):
        first, _ = coded_level(model, state, target, 1 + 2 * plane, BLOCKS)
        state.keep_level(first)
        second, _ = coded_level(model, state, target, 2 + 2 * plane, BLOCKS)
        for scale in range(SCALES):
            early = first.tiers[scale] == 0
            assert 0 < int(early.sum()) < early.numel()
            assert not first.symbols[scale][~early].any()
            assert torch.equal(second.symbols[scale][early], first.symbols[scale][early])
        state.keep_level(second)


def test_blocks_are_numbered_row_by_row() -> None:
    side = 4
    rows, columns = np.indices((ROWS * side, COLUMNS * side)) // side
    values = torch.from_numpy((COLUMNS * rows + columns)[None, None]).expand(1, CHANNELS[0], -1, -1)
    blocks = to_blocks(values, side)
    assert blocks.shape == (len(BLOCKS), CHANNELS[0], side, side)
    assert blocks.flatten(1).unique(dim=1)[:, 0].tolist() == BLOCKS

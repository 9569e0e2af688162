from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_recurrent import frozen_model
from hypothesis import given
from hypothesis import strategies as st

from progressive.codecs.recurrent.layout import BITS, ITERATIONS
from progressive.codecs.recurrent.segments import Contents, code_iteration, from_raw, to_raw
from progressive.errors import BitstreamError
from progressive.exact.coders import RangeSymbolDecoder, RangeSymbolEncoder


def random_codes(seed: int, shape: tuple[int, int]) -> torch.Tensor:
    drawn = np.random.default_rng(seed).integers(0, 2, (BITS, *shape))
    return torch.from_numpy((drawn * 2 - 1).astype(np.int8))


@given(
    tile=st.integers(0, 299),
    tier=st.integers(0, 255),
    iteration=st.integers(0, ITERATIONS - 1),
    raw=st.booleans(),
    code=st.binary(max_size=20),
)
def test_a_payload_says_what_it_holds(tile: int, tier: int, iteration: int, raw: bool, code: bytes) -> None:
    contents = Contents(tile, tier, iteration, raw, code)
    assert Contents.from_bytes(contents.to_bytes(300), 300) == contents
    alone = Contents(0, tier, iteration, raw, code)
    assert len(alone.to_bytes(1)) == len(code) + 2
    assert Contents.from_bytes(alone.to_bytes(1), 1) == alone


@pytest.mark.parametrize("data", [b"", b"\0\0\1", b"\0\7\0\0", b"\0\0\0\x18", b"\0\0\0\xff"])
def test_what_a_stream_does_not_have_is_refused(data: bytes) -> None:
    with pytest.raises(BitstreamError):
        Contents.from_bytes(data, 7)


@given(seed=st.integers(0, 1000), height=st.integers(1, 9), width=st.integers(1, 9))
def test_codes_as_they_are_take_four_bytes_a_cell_and_come_back(seed: int, height: int, width: int) -> None:
    codes = random_codes(seed, (height, width))
    cells = np.random.default_rng(seed + 1).random((height, width)) < 0.6
    data = to_raw(codes, cells)
    assert len(data) == 4 * cells.sum()
    assert torch.equal(from_raw(data, cells), codes * torch.from_numpy(cells))
    with pytest.raises(BitstreamError):
        from_raw(data + b"\0", cells)


@pytest.mark.parametrize("iteration", [0, 1, 5, ITERATIONS - 1])
def test_groups_come_back_each_from_its_own_code(iteration: int) -> None:
    model, shape = frozen_model(), (9, 12)
    before = [random_codes(n, shape) for n in range(iteration)]
    truth, split = random_codes(99, shape), np.random.default_rng(5).random(shape)
    groups = [split < 0.3, (split >= 0.3) & (split < 0.9), split >= 0.9]
    coders = [RangeSymbolEncoder(model.tables) for _ in groups]
    code_iteration(coders, model.context, iteration, before, groups, truth)
    for group, coder in zip(groups, coders, strict=True):
        mine = torch.from_numpy(group)
        decoder = RangeSymbolDecoder(model.tables, coder.to_bytes())
        own = [codes * mine for codes in before]
        found = code_iteration([decoder], model.context, iteration, own, [group])[0]
        decoder.finish()
        assert torch.equal(found, truth * mine)

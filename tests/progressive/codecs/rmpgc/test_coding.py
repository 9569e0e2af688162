from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_tensors
from torch import Tensor

from progressive.codecs.rmpgc.choices import Choices
from progressive.codecs.rmpgc.coding import (
    INWARD,
    OUTWARD,
    PARENT_ROWS,
    PLANE_ROWS,
    ZERO,
    BasePasses,
    checkerboard,
    code_plane_pass,
    rows_everywhere,
    table_of,
)
from progressive.codecs.rmpgc.layout import CHANNELS, CHROMA, LUMA, SCALES
from progressive.codecs.rmpgc.model import ESCAPE_TABLE, Model
from progressive.codecs.rmpgc.probability import MEAN_STEPS
from progressive.codecs.rmpgc.quantiser import MAX_INDEX
from progressive.codecs.rmpgc.records import Recorder
from progressive.entropy.coders import RangeSymbolDecoder, RangeSymbolEncoder
from progressive.errors import BitstreamError

TABLE = table_of(1, 0)


def drawn(*shape: int, low: int, high: int, seed: int) -> Tensor:
    return torch.randint(low, high + 1, shape, generator=torch.Generator().manual_seed(seed)).float()


def base_indices(scale: int, side: int) -> Tensor:
    """Most near zero, some anywhere."""
    near = drawn(2, CHANNELS[scale], side, side, low=-2, high=2, seed=scale)
    anywhere = drawn(*near.shape, low=-MAX_INDEX, high=MAX_INDEX, seed=9 + scale)
    return torch.where(drawn(*near.shape, low=0, high=9, seed=5) == 0, anywhere, near)


@pytest.mark.parametrize("scale", range(SCALES))
def test_the_base_survives_the_range_coder_whatever_is_predicted(model: Model, scale: int) -> None:
    side, index = 6, base_indices(scale, 6)
    encoder = RangeSymbolEncoder(model.tables)
    parameters = [
        torch.stack(
            [
                drawn(2, channels, side, side, low=-9 * MEAN_STEPS, high=9 * MEAN_STEPS, seed=number),
                drawn(2, channels, side, side, low=-60, high=60, seed=3 + number),
            ],
            1,
        )
        for number, channels in enumerate((LUMA[scale], LUMA[scale], CHROMA[scale]))
    ]
    for number in range(3):
        BasePasses(encoder, scale, Choices(index))(number, parameters[number])
    decoder = RangeSymbolDecoder(model.tables, encoder.to_bytes())
    even, odd, chroma = (BasePasses(decoder, scale)(number, parameters[number]) for number in range(3))
    decoder.finish()
    assert torch.equal(torch.cat([even + odd, chroma], 1), index)


def test_what_is_far_from_its_prediction_escapes_and_the_impossible_is_refused(model: Model) -> None:
    parameters, index = torch.zeros(1, 2, 4, 1, 1), torch.zeros(1, CHANNELS[0], 1, 1)
    index[0, :4, 0, 0] = torch.tensor([20.0, -20.0, 21.0, -21.0])
    recorder = Recorder()
    BasePasses(recorder, 0, Choices(index))(0, parameters)
    assert [(table, symbols.tolist()) for table, _, symbols, _ in recorder.passes] == [
        ("base_coarse", [40, 0, 41, 41]),
        (ESCAPE_TABLE, [21 + MAX_INDEX, -21 + MAX_INDEX]),
    ]
    encoder = RangeSymbolEncoder(model.tables)
    (table, rows, symbols, owners), _ = recorder.passes
    encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), owners)
    beyond = np.array([2 * MAX_INDEX + 1, 0], np.int32)
    encoder.code(ESCAPE_TABLE, np.zeros(2, np.intp), beyond, owners[:2])
    with pytest.raises(BitstreamError, match="impossible index"):
        BasePasses(RangeSymbolDecoder(model.tables, encoder.to_bytes()), 0)(0, parameters)


def test_a_plane_survives_the_range_coder_wherever_the_mask_says(model: Model) -> None:
    shape = (3, 5, 4, 4)
    parents, truth = drawn(*shape, low=-2, high=2, seed=1), drawn(*shape, low=-1, high=1, seed=2)
    mask = drawn(*shape, low=0, high=1, seed=3).bool()
    parameters = drawn(3, 4, 5, 4, 4, low=-90, high=90, seed=4)
    encoder = RangeSymbolEncoder(model.tables)
    assert torch.equal(code_plane_pass(encoder, TABLE, parameters, parents, mask, Choices(truth)), truth * mask)
    decoder = RangeSymbolDecoder(model.tables, encoder.to_bytes())
    assert torch.equal(code_plane_pass(decoder, TABLE, parameters, parents, mask, None), truth * mask)
    decoder.finish()


def test_symbols_point_away_from_zero_or_to_plus_where_the_parent_is_zero() -> None:
    parents = torch.tensor([-3.0, 0.0, 2.0]).repeat_interleave(3).view(1, 9, 1, 1)
    truth = torch.tensor([-1.0, 0.0, 1.0]).repeat(3).view(1, 9, 1, 1)
    recorder = Recorder()
    everywhere = torch.ones_like(truth).bool()
    code_plane_pass(recorder, TABLE, torch.zeros(1, 4, 9, 1, 1), parents, everywhere, Choices(truth))
    assert recorder.passes[0][2].tolist() == [OUTWARD, ZERO, INWARD, INWARD, ZERO, OUTWARD, INWARD, ZERO, OUTWARD]


def test_rows_follow_the_parameters_of_the_parent_s_kind_and_stay_in_the_table() -> None:
    shape = (2, 5, 4, 4)
    parents = drawn(*shape, low=-1, high=1, seed=1)
    extreme = drawn(2, 4, 5, 4, 4, low=-(2**23), high=2**23, seed=2)
    rows = rows_everywhere(extreme, parents)
    assert 0 <= int(rows.min()) < int(rows.max()) < PLANE_ROWS
    assert torch.equal(rows >= PARENT_ROWS, parents != 0)
    changed = extreme.clone()
    changed[:, 2:] = 0
    assert torch.equal(rows_everywhere(changed, parents)[parents == 0], rows[parents == 0])
    recorder = Recorder()
    code_plane_pass(recorder, TABLE, extreme, parents, torch.ones(shape).bool(), Choices(torch.zeros(shape)))
    assert np.array_equal(recorder.passes[0][1], rows.flatten().numpy())


def test_each_position_has_one_colour_and_neighbours_have_the_other() -> None:
    even, odd = (checkerboard(torch.zeros(2, 4, 3, 5, 6), colour) for colour in (0, 1))
    assert (even ^ odd).all()
    assert even[0, 0, 0, 0]
    assert torch.equal(even[..., 1:], odd[..., :-1])
    assert torch.equal(even[..., 1:, :], odd[..., :-1, :])


def test_every_plane_and_tier_has_a_table_of_its_own(model: Model) -> None:
    names = [table_of(plane, tier) for plane, tier in itertools.product((1, 2, 3), (0, 1))]
    assert len(set(names)) == 6
    assert all(model.tables[name].frequencies.shape == (PLANE_ROWS, 3) for name in names)
    assert f"tables.{names[0]}" in frozen_tensors()

from __future__ import annotations

import numpy as np
import torch

from progressive.codecs.rmpgc import quantiser
from progressive.codecs.rmpgc.choices import BASE_PRICE, LEVEL_PRICES, Choices, base_choices, plane_choices
from progressive.codecs.rmpgc.layout import CHANNELS, LEVELS
from progressive.codecs.rmpgc.synthesis import Dequantiser
from progressive.entropy.tables import TOTAL, FrequencyTable

TABLES = {"bits 1, 2, 2": FrequencyTable(np.array([[TOTAL // 2, TOTAL // 4, TOTAL // 4]]))}
VALUES = torch.linspace(-4, 4, CHANNELS[4] * 64).view(1, CHANNELS[4], 8, 8)


def test_the_cheaper_symbol_is_taken_where_a_saved_bit_is_worth_more_than_the_error() -> None:
    choices = Choices(torch.zeros(1, 1, 2, 2), torch.tensor([[[[0.9, 1.1], [torch.inf, torch.inf]]]]), 1.0, TABLES)
    rows, symbols = np.zeros(4, np.int32), np.array([1, 1, 1, 0], np.int32)
    found = choices.cheaper("bits 1, 2, 2", rows, symbols, np.zeros(4, np.int32), torch.arange(4))
    assert found.tolist() == [True, False, False, False]
    equally_long = Choices(choices.symbols, torch.tensor([0.1, -0.1]), 1.0, TABLES)
    other = equally_long.cheaper("bits 1, 2, 2", rows[:2], symbols[:2], np.full(2, 2, np.int32), torch.arange(2))
    assert other.tolist() == [False, True]
    few = choices.cheaper("bits 1, 2, 2", rows[:2], symbols[:2], np.zeros(2, np.int32), torch.tensor([1, 0]))
    assert few.tolist() == [False, True]


def test_without_tables_the_truth_is_written() -> None:
    index = quantiser.base_index(VALUES)
    base = base_choices(VALUES, 4, Dequantiser(), None)
    assert torch.equal(base.symbols, index)
    level = plane_choices(VALUES, index, 1, 4, Dequantiser(), None).at_level(1)
    assert torch.equal(level.symbols, quantiser.refine(VALUES, index, 1))
    for choices in (base, level):
        take = choices.cheaper(
            "any", np.zeros(3, np.int32), np.ones(3, np.int32), np.zeros(3, np.int32), torch.arange(3)
        )
        assert not take.any()


def test_losses_are_what_the_cheaper_symbol_adds_to_the_squared_error() -> None:
    dequantiser, index = Dequantiser(), quantiser.base_index(VALUES)
    base = base_choices(VALUES, 4, dequantiser, TABLES)
    assert base.loss is not None
    smaller = index - torch.sign(index)
    added = (VALUES - dequantiser(smaller, 0, 4)).square() - (VALUES - dequantiser(index, 0, 4)).square()
    torch.testing.assert_close(base.loss, torch.where(index == 0, torch.inf, added))
    symbols = quantiser.refine(VALUES, index, 1)
    level = plane_choices(VALUES, index, 1, 4, dequantiser, TABLES).at_level(2)
    assert level.loss is not None
    added = (VALUES - dequantiser(2 * index, 1, 4)).square() - (
        VALUES - dequantiser(2 * index + symbols, 1, 4)
    ).square()
    torch.testing.assert_close(level.loss, torch.where(symbols == 0, torch.inf, added))
    assert (base.loss[index.abs() > 1] > 0).all()


def test_a_bit_is_worth_ever_less_error() -> None:
    prices = [BASE_PRICE, *LEVEL_PRICES]
    assert len(LEVEL_PRICES) == LEVELS
    assert prices == sorted(prices, reverse=True)

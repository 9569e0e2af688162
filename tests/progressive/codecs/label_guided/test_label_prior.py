from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.label_prior import (
    MORE,
    ROWS,
    SEEN,
    TABLE,
    UNITS,
    LabelPrior,
    code_classes,
    code_labels,
    diagonals,
    seen_cells,
    sums_of_the_rest,
)
from progressive.codecs.label_guided.model import Model
from progressive.exact.coders import CostMeter, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.layers import MAX_ACTIVATION
from progressive.exact.tables import FrequencyTable, frequencies_from_counts


def softmax_tables() -> dict[str, FrequencyTable]:
    """A table whose rows mean what the logits say."""
    yes = 1 / (1 + np.exp(-(np.arange(ROWS) - ROWS // 2) / UNITS))
    return {TABLE: FrequencyTable(frequencies_from_counts(np.stack([1 - yes, yes], 1)))}


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (9, 1), (3, 2), (32, 32), (7, 30)])
def test_diagonals_have_every_cell_once_after_all_that_it_sees(height: int, width: int) -> None:
    turn = np.full((height, width), -1)
    for number, cells in enumerate(diagonals(height, width)):
        assert (turn[cells.rows, cells.columns] == -1).all()
        turn[cells.rows, cells.columns] = number
    assert (turn >= 0).all()
    for row in range(height):
        for column in range(width):
            for up, aside in SEEN:
                if row + up >= 0 and 0 <= column + aside < width:
                    assert turn[row + up, column + aside] < turn[row, column]


@settings(max_examples=20, deadline=None)
@given(labels=arrays(np.int8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, COUNT - 1)))
def test_any_map_comes_back(frozen: Model, labels: np.ndarray) -> None:
    tables = frozen.coding.tables.frequencies
    height, width = labels.shape
    with torch.inference_mode():
        encoder = RangeSymbolEncoder(tables)
        code_labels(frozen.coding.label_prior, encoder, height, width, labels)
        decoder = RangeSymbolDecoder(tables, encoder.to_bytes())
        found = code_labels(frozen.coding.label_prior, decoder, height, width)
        decoder.finish()
    assert np.array_equal(found, labels)


def test_what_training_sees_is_what_coding_sees() -> None:
    labels = np.random.default_rng(0).integers(0, COUNT, (5, 7))
    whole = seen_cells(torch.from_numpy(labels)[None], COUNT)[0].numpy()
    assert set(np.unique(whole)) == {0, MAX_ACTIVATION}
    around = np.full((5 + 4, 7 + 4), COUNT)
    around[2:7, 2:9] = labels
    for row, column in ((0, 0), (2, 3), (4, 6)):
        classes = [around[2 + row + up, 2 + column + aside] for up, aside in SEEN]
        prior = LabelPrior()
        prior.kernel = "float32"
        expected = prior.input_of(np.array([classes]))[0, :, 0, 0].numpy()
        assert np.array_equal(whole[:, row, column], expected)


def test_a_class_costs_what_softmax_says() -> None:
    logits = np.random.default_rng(1).integers(-60, 60, (50, COUNT)).astype(np.int32)
    likely = np.exp(logits / UNITS)
    likely /= likely.sum(1, keepdims=True)
    for wanted in range(COUNT):
        meter = CostMeter(softmax_tables(), 1)
        code_classes(meter, logits, np.full(50, wanted, np.int32))
        ideal = float(-np.log2(likely[:, wanted]).sum())
        assert meter.bits[0] == pytest.approx(ideal, rel=0.03, abs=0.5)


def test_sums_of_logits_are_exact_but_for_rounding() -> None:
    logits = -np.sort(-np.random.default_rng(2).integers(-100, 100, (30, COUNT)), axis=1).astype(np.int32)
    rest = sums_of_the_rest(logits)
    for rank in range(COUNT - 1):
        exact = UNITS * np.log(np.exp(logits[:, rank + 1 :] / UNITS).sum(1))
        assert np.abs(rest[:, rank] - exact).max() <= 0.5 * (COUNT - rank)


def test_no_entry_of_the_table_of_sums_is_near_a_half() -> None:
    """Another library's logarithm rounds to the same integers."""
    values = [UNITS * math.log1p(math.exp(-apart / UNITS)) for apart in range(len(MORE))]
    assert MORE.tolist() == [round(value) for value in values]
    assert min(abs(value - math.floor(value) - 0.5) for value in values) > 1e-3
    assert MORE[-1] == 0

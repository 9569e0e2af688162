from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codecs.rmpgc.backbones.multiscale.choices import BASE_PRICE, LEVEL_PRICES, Choices, Moments
from progressive.codecs.rmpgc.backbones.multiscale.points import UNITS, values_at
from progressive.codecs.rmpgc.backbones.multiscale.quantiser import bin_of
from progressive.codecs.rmpgc.backbones.multiscale.scales import LEVELS
from progressive.exact.tables import TOTAL, FrequencyTable

TABLE = "bits 1, 2, 2"
TABLES = {TABLE: FrequencyTable(np.array([[TOTAL // 2, TOTAL // 4, TOTAL // 4]] * 2))}
MIDDLES = {TABLE: np.zeros((2, 3), np.int8)}
PLANE = 1
ROWS = np.zeros(4, np.int32)
OUTWARD = np.ones(4, np.int32)
TRUE = np.array([1, 1, 1, 1], np.int32), np.array([3, 3, 3, 3], np.int32)
CHEAP = np.array([0, 0, 0, 0], np.int32), np.array([2, 2, 2, 2], np.int32)


def choices(price: float, points: dict[str, np.ndarray] = MIDDLES) -> Choices:
    return Choices(torch.zeros(1), price, TABLES, points)


def added_error(values: np.ndarray, points: int = 0) -> np.ndarray:
    """What the cheaper symbols of CHEAP add to the squared error."""
    at = np.full(len(values), points, np.int8)
    true, cheap = (values_at(np.full(len(values), n, np.int32), at, PLANE) for n in (3, 2))
    return (values - cheap) ** 2 - (values - true) ** 2


def test_the_cheaper_symbol_is_taken_where_a_saved_bit_is_worth_more_than_the_error() -> None:
    lower, upper = (float(end) for end in bin_of(torch.tensor(3.0), PLANE))
    values = np.linspace(lower, upper, 4).astype(np.float32)
    added = added_error(values)
    assert (np.diff(added) > 0).all()
    for price in added[:-1] + np.diff(added) / 2:
        found = choices(float(price)).cheaper(TABLE, ROWS, TRUE, CHEAP, OUTWARD, values, PLANE)
        assert found.tolist() == np.flatnonzero(added < price).tolist()
    equally_long = np.full(4, 2, np.int32), CHEAP[1]
    below = np.full(4, lower - 1, np.float32)
    for near, expected in ((below, [0, 1, 2, 3]), (values[1:2].repeat(4), [])):
        assert choices(9.0).cheaper(TABLE, ROWS, TRUE, equally_long, OUTWARD, near, PLANE).tolist() == expected


def test_only_symbols_that_differ_are_weighed() -> None:
    values = np.full(4, -9, np.float32)
    cheap = np.array([1, 0, 1, 0], np.int32), CHEAP[1]
    found = choices(1.0).cheaper(TABLE, ROWS, TRUE, cheap, OUTWARD, values, PLANE)
    assert found.tolist() == [1, 3]


def test_errors_are_those_of_the_points_read_with_their_sign() -> None:
    points = {TABLE: np.full((2, 3), 60, np.int8)}
    lower, upper = (float(end) for end in bin_of(torch.tensor(3.0), PLANE))
    values = np.full(4, lower + 0.6 * (upper - lower), np.float32)
    outward = np.array([1, -1, 1, -1], np.int32)
    with_sign = [float(added_error(values[:1], sign * 60)[0]) for sign in (1, -1)]
    assert with_sign[0] < with_sign[1]
    price = sum(with_sign) / 2
    assert choices(price, points).cheaper(TABLE, ROWS, TRUE, CHEAP, outward, values, PLANE).tolist() == [0, 2]


def test_without_tables_the_truth_is_written() -> None:
    truth = Choices(torch.zeros(1), 1e9, None, MIDDLES)
    assert not truth.cheaper(TABLE, ROWS, TRUE, CHEAP, OUTWARD, np.zeros(4, np.float32), PLANE).size


def test_moments_are_sums_of_places_in_bins_seen_outward() -> None:
    moments = Moments()
    counting = Choices(torch.zeros(1), 1.0, TABLES, MIDDLES, moments)
    lower, upper = (float(end) for end in bin_of(torch.tensor(2.0), PLANE))
    values = np.array([lower + 0.75 * (upper - lower), -lower - 0.75 * (upper - lower)] * 2, np.float32)
    rows, symbols = np.array([0, 0, 1, 1], np.int32), np.array([1, 1, 2, 0], np.int32)
    index, outward = np.array([2, -2, 2, -2], np.int32), np.array([1, -1, 1, 1], np.int32)
    for _ in range(2):
        counting.count(TABLE, rows, symbols, index, outward, values, PLANE)
    assert moments.counts[TABLE].tolist() == [[0, 4, 0], [2, 0, 2]]
    quarter = UNITS / 4
    np.testing.assert_allclose(moments.sums[TABLE], [[0, 4 * quarter, 0], [-2 * quarter, 0, 2 * quarter]], atol=0.01)


def test_a_bit_is_worth_ever_less_error() -> None:
    prices = [BASE_PRICE, *LEVEL_PRICES]
    assert len(LEVEL_PRICES) == LEVELS
    assert prices == sorted(set(prices), reverse=True)


def test_choices_of_other_values_choose_alike() -> None:
    values = torch.rand(2, 3)
    other = choices(0.25).of(values)
    assert other.values is values
    assert (other.price, other.tables, other.points) == (pytest.approx(0.25), TABLES, MIDDLES)

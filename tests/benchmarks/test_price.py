from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_rmpgc import frozen_model

from benchmarks.price import STEPS, WITH_CENTRE, Lengths, from_blocks, lengths_of, measured
from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.codecs.rmpgc.layout import BLOCK_SIDES, PLANES
from progressive.codecs.rmpgc.tile import to_blocks
from progressive.photos import sample_photo

MODEL = frozen_model()
PHOTO = sample_photo("coffee")[100:220, 100:280].copy()


@pytest.fixture(scope="module")
def lengths() -> Lengths:
    return lengths_of(PHOTO, MODEL)


def test_blocks_are_put_back_where_they_were() -> None:
    values = torch.arange(5 * 12 * 8).view(1, 5, 12, 8)
    assert torch.equal(from_blocks(to_blocks(values, 4), 3), values)


def test_a_tile_of_one_block_has_no_context_to_lose() -> None:
    alone = lengths_of(PHOTO[:64, :64], MODEL)
    np.testing.assert_allclose(alone.across, alone.within, rtol=1e-6)


def test_the_base_is_coded_alike_and_levels_see_across_borders(lengths: Lengths) -> None:
    assert lengths.across[0] == pytest.approx(lengths.within[0])
    for step in range(1, STEPS):
        assert lengths.across[step] != pytest.approx(lengths.within[step], rel=1e-6)
        assert lengths.across[step] == pytest.approx(lengths.within[step], rel=0.3)


def test_places_hold_the_bits_of_their_scales(lengths: Lengths) -> None:
    for step in range(1, STEPS):
        bits = sum(lengths.places[step][scale].sum() for scale in WITH_CENTRE)
        assert 0.8 * lengths.within[step] < bits < lengths.within[step]


def test_dear_borders_are_what_context_would_save() -> None:
    found = Lengths()
    found.within[:] = 1000.0
    for scales in found.places:
        for scale in scales:
            scales[scale] += 2.0
    np.testing.assert_allclose(found.by_centres, 1000)
    finest = BLOCK_SIDES[-1]
    found.places[1][len(BLOCK_SIDES) - 1][0] += 1.0
    assert found.by_centres[1] == pytest.approx(1000 - finest)


def test_prices_multiply_up() -> None:
    rows = measured(Rmpgc(MODEL), PHOTO, 1200)
    assert len(rows) == PLANES + 1
    factors = 1 + rows[:, 2:] / 100
    np.testing.assert_allclose(factors[:, 0], factors[:, 2] * factors[:, 3])
    np.testing.assert_allclose(factors[:, 1], factors[:, 2] * factors[:, 4])
    assert factors[0, 2] > 1
    assert (np.diff(rows[:, :2], axis=0) > 0).all()

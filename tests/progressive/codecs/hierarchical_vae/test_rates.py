from __future__ import annotations

import numpy as np
import pytest
import torch

from progressive.codecs.hierarchical_vae.latents import STRIDES
from progressive.codecs.hierarchical_vae.rates import (
    CELL,
    FINEST,
    LAGRANGIAN,
    LARGEST_LEVEL,
    MEAN_LEVEL,
    SHIFTS,
    STEPS,
    UNITS,
    Gammas,
    hats,
    shifts,
)
from progressive.semantics.coarse_map import CoarseMap


def meaning(seed: int = 0) -> CoarseMap:
    return CoarseMap(np.random.default_rng(seed).integers(0, 8, (6, 9)).astype(np.uint8))


def test_a_larger_gamma_is_a_smaller_step_and_a_larger_lambda() -> None:
    assert (torch.diff(STEPS) < 0).all()
    assert (torch.diff(LAGRANGIAN) > 0).all()
    torch.testing.assert_close(STEPS[0] / STEPS[FINEST], torch.tensor(32.0))
    assert (UNITS >= 1).all()


def test_hats_are_integers_that_sum_to_255_and_tell_every_gamma_apart() -> None:
    found = hats(torch.arange(FINEST + 1, dtype=torch.uint8).view(1, 1, -1))
    assert found.dtype == torch.int32
    assert (found.sum(1) == FINEST).all()
    assert int(found.min()) == 0
    assert len({tuple(column.tolist()) for column in found[0, :, 0].T}) == FINEST + 1


def test_meaning_gets_more_and_the_mean_stays() -> None:
    found = shifts(meaning(), 48, 72)
    importance = meaning().upsampled(48, 72)
    assert 0 <= found.mean() < 1
    assert found[importance > 0.8].min() > found[importance < 0.2].max()
    assert np.array_equal(shifts(CoarseMap(np.full((3, 4), 5, np.uint8)), 8, 8), np.zeros((8, 8)))
    assert np.array_equal(shifts(CoarseMap(np.zeros((3, 4), np.uint8)), 8, 8), np.zeros((8, 8)))


def test_twice_the_level_shifts_gamma_by_as_much_as_it_doubles_lambda() -> None:
    assert SHIFTS[MEAN_LEVEL] == 0
    assert len(SHIFTS) == LARGEST_LEVEL + 1
    ratio = LAGRANGIAN[SHIFTS[2 * MEAN_LEVEL]] / LAGRANGIAN[0]
    assert 1.95 < float(ratio) < 2.1


@pytest.mark.parametrize("gamma", [0, 100, FINEST])
def test_positions_have_the_mean_of_their_cells_and_the_first_latent_the_photos_gamma(gamma: int) -> None:
    found = Gammas.of(gamma, 16, 24, meaning())
    assert [tuple(g.shape) for g in found.scales] == [(1, 128 // s, 192 // s) for s in STRIDES]
    assert (found.scales[0] == gamma).all()
    cells = found.cells[0].numpy().astype(int)
    assert np.array_equal(found.scales[STRIDES.index(32)][0].numpy()[1, 2], cells[4:8, 8:12].sum() // 16)
    assert np.array_equal(found.scales[STRIDES.index(CELL)][0].numpy(), cells)
    assert (found.scales[-1][0, :4, :4] == cells[0, 0]).all()
    assert (np.ptp(cells) > 20) == (0 < gamma < FINEST) or gamma in (0, FINEST)
    torch.testing.assert_close(found.steps[4][0, 0], STEPS[found.cells[0].long()])


def test_without_meaning_all_is_alike() -> None:
    found = Gammas.of(77, 8, 8, None)
    assert all((g == 77).all() for g in found.scales)


def test_a_cut_is_what_its_cells_were() -> None:
    whole = Gammas.of(120, 24, 32, meaning())
    part = whole.cut(slice(8, 16), slice(16, 32))
    for stride, own, found in zip(STRIDES, whole.scales, part.scales, strict=True):
        assert torch.equal(found, own[:, 64 // stride : 128 // stride, 128 // stride : 256 // stride])

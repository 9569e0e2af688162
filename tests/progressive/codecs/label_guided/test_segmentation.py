from __future__ import annotations

import numpy as np
import pytest
import torch
from frozen_label_guided import frozen_model

from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.segmentation import LONGEST_SIDE, cell_labels, looked_at, probabilities


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (17, 33), (64, 48)])
def test_any_photo_has_likelihoods_of_every_class(shape: tuple[int, int]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    with torch.inference_mode():
        found = probabilities(frozen_model().segmentation, photo)
    assert found.shape == (1, COUNT, *shape)
    torch.testing.assert_close(found.sum(1), torch.ones(1, *shape))
    labels, sure = cell_labels(found, *shape)
    assert labels.shape == tuple(-(-n // 16) for n in shape)
    assert 1 / COUNT <= sure <= 1


def test_large_photos_are_looked_at_smaller_and_keep_their_shape() -> None:
    assert looked_at(480, 640) == (480, 640)
    assert looked_at(3000, 4000) == (480, LONGEST_SIDE)
    assert looked_at(1, 60_000) == (1, LONGEST_SIDE)


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_each_cell_has_its_likeliest_class_whatever_the_size_that_was_looked_at(scale: int) -> None:
    """A photo of 3 x 4 cells, of which the last row and column are cut."""
    true = np.random.default_rng(1).integers(0, COUNT, (3, 4))
    height, width = 40, 60
    whole = true.repeat(16, 0).repeat(16, 1)[:height, :width]
    found = torch.nn.functional.one_hot(torch.from_numpy(whole), COUNT).permute(2, 0, 1)[None].float()
    looked = torch.nn.functional.interpolate(found, size=(height // scale, width // scale), mode="area")
    assert np.array_equal(cell_labels(looked, height, width)[0], true)

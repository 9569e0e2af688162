from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from frozen_label_guided import frozen_model
from PIL import Image

from benchmarks.label_guided import (
    MEASURES,
    Judge,
    common_cells,
    map_bytes,
    measured,
    png_size,
    switched,
    trained_bits,
    true_cells,
)
from progressive.codecs.label_guided.classes import COUNT
from progressive.codecs.label_guided.codec import LabelGuided
from progressive.codecs.label_guided.model import Model
from progressive.photos import sample_photo
from progressive.training.label_guided.labels import VOID


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    photo = sample_photo("chelsea")[:170, :180]
    classes = np.random.default_rng(0).integers(0, 12, (11, 12), np.uint8).repeat(16, 0).repeat(16, 1)[:170, :180]
    for folder, pixels in (("photos", photo), ("photos_labels", classes)):
        (root / folder).mkdir()
        Image.fromarray(pixels).save(root / folder / "a.png")
    return root / "photos" / "a.png"


def test_a_photo_is_measured_with_each_kind_of_map_at_about_equal_bytes(labelled: Path) -> None:
    model = Model.load()
    shown = measured(LabelGuided(model), Judge(model, None), labelled, [0.15], ["right", "blank", "switched"])
    assert list(shown) == ["photo", "right 0.15", "blank 0.15", "switched 0.15", "WEBP lowest", "AVIF lowest"]
    for name, found in shown.items():
        assert len(found.measures) == len(MEASURES)
        assert found.picture.shape == (170, 180, 3)
        assert found.counts.sum() > 0
        if name.endswith("0.15"):
            assert 0.1 < found.measures[0] <= 0.15
    pictures = [shown[name].picture for name in ("right 0.15", "blank 0.15", "switched 0.15")]
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_maps_of_cells_have_the_commonest_class() -> None:
    classes = np.full((20, 33), 3, np.int8)
    classes[:, 16:] = 1
    classes[:9, 16:32] = 2
    assert common_cells(classes, COUNT).tolist() == [[3, 2, 1], [3, 1, 1]]
    assert true_cells(np.full((16, 16), VOID, np.uint8)).tolist() == [[7]]
    assert switched(np.array([[0, 7]], np.int8)).tolist() == [[1, 0]]


def test_sizes_of_maps_follow_what_they_hold() -> None:
    model, rng = frozen_model(), np.random.default_rng(0)
    calm, wild = np.zeros((20, 30), np.int8), rng.integers(0, COUNT, (20, 30)).astype(np.int8)
    assert png_size(calm) < png_size(wild) < 20 * 30 + 200
    assert map_bytes(model, calm) != map_bytes(model, wild)
    size = trained_bits([calm], COUNT, 30, 12)
    assert size(calm) < 0.5 * size(wild)

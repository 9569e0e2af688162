from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos import sample_photo
from progressive.semantics.importance_network import (
    INPUT_PIXELS,
    STRIDE,
    WEIGHTS,
    coarse_importance,
    input_sides,
    load_network,
)

NOISE = np.random.default_rng(1).integers(0, 256, (64, 48, 3), dtype=np.uint8)


def flat(value: int, height: int = 64, width: int = 96) -> Photo:
    return np.full((height, width, 3), value, np.uint8)


@pytest.mark.parametrize(
    "photo",
    [
        *(flat(value) for value in (0, 128, 255)),
        *(flat(90, *size) for size in ((1, 1), (16, 16), (1, 4000), (4000, 1), (3000, 4000))),
        NOISE,
        NOISE[:16, :16],
        np.repeat(NOISE[:, :, :1], 3, axis=2),
    ],
    ids=lambda photo: f"{photo.shape[0]}x{photo.shape[1]}",
)
def test_any_photo_gets_a_finite_map(photo: Photo) -> None:
    importance = coarse_importance(photo)
    height, width = input_sides(*photo.shape[:2])
    assert importance.shape == (height // STRIDE, width // STRIDE)
    assert importance.dtype == np.float32
    assert np.isfinite(importance).all()
    assert importance.min() >= 0
    assert importance.max() <= 1


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (512, 768), (768, 512), (8000, 8000), (1, 9000), (333, 500)])
def test_every_photo_costs_about_the_same(size: tuple[int, int]) -> None:
    height, width = input_sides(*size)
    assert height % STRIDE == width % STRIDE == 0
    assert 0.85 * INPUT_PIXELS < height * width < 1.15 * INPUT_PIXELS


def test_the_shape_is_nearly_kept() -> None:
    for size in ((512, 768), (480, 640), (500, 500), (300, 100)):
        height, width = input_sides(*size)
        assert height / width == pytest.approx(size[0] / size[1], rel=0.1)


def test_it_finds_what_the_sample_photos_show() -> None:
    """A cat's face and a cup fill the middle; the map is high there and low in the corners."""
    for name in ("chelsea", "coffee"):
        importance = coarse_importance(sample_photo(name))
        h, w = importance.shape
        middle = importance[h // 4 : -(h // 4), w // 4 : -(w // 4)].mean()
        corners = np.mean([importance[i, j] for i in (0, 1, -2, -1) for j in (0, 1, -2, -1)])
        assert middle > 2 * corners, name


def test_it_follows_the_content_when_the_photo_is_mirrored() -> None:
    photo = sample_photo("coffee")[:, :450]
    importance = coarse_importance(photo)
    mirrored = coarse_importance(np.ascontiguousarray(photo[:, ::-1]))[:, ::-1]
    assert np.corrcoef(importance.ravel(), mirrored.ravel())[0, 1] > 0.9


def test_the_same_photo_gives_the_same_map() -> None:
    np.testing.assert_array_equal(coarse_importance(NOISE), coarse_importance(NOISE))


def test_the_weights_are_small() -> None:
    assert WEIGHTS.stat().st_size < 2_000_000
    assert WEIGHTS.with_suffix(".md").is_file()


def test_missing_damaged_and_other_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "importance.safetensors"
    with pytest.raises(UsageError, match="cannot read"):
        load_network(path)
    path.write_bytes(WEIGHTS.read_bytes()[:1000])
    with pytest.raises(UsageError, match="no weights of the importance network"):
        load_network(path)
    save_file({"features.0.weight": torch.zeros(3)}, path)
    with pytest.raises(UsageError, match="no weights of the importance network"):
        load_network(path)


def test_a_photo_s_map_does_not_depend_on_the_others_in_its_batch() -> None:
    network = load_network()
    batch = torch.rand(3, 3, 64, 96, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        together = network(batch)
        alone = torch.cat([network(photo[None]) for photo in batch])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=1e-4)
    assert together.shape == (3, 4, 6)

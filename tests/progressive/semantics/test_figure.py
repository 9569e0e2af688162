import io

import numpy as np
import pytest
from PIL import Image

from progressive.codec import Photo
from progressive.photos import sample_photo
from progressive.semantics.figure import draw_importance, ranks


def central(photo: Photo) -> np.ndarray:
    y, x = (np.linspace(-1, 1, size)[:, None] for size in photo.shape[:2])
    return np.exp(-3 * (y**2 + x.T**2))


def drawn(photo: Photo, sim: np.ndarray, worth: np.ndarray | None = None) -> np.ndarray:
    png = draw_importance(photo, sim, worth, source="network", order="by some codec")
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"))


def test_the_figure_shows_the_photo_and_three_different_maps() -> None:
    photo = sample_photo("chelsea")
    figure = drawn(photo, central(photo)).astype(int)
    assert figure.shape[1] == 2000
    panels = np.array_split(figure[110:-80], 4, axis=1)
    for index, panel in enumerate(panels):
        assert all(np.abs(panel - other).mean() > 8 for other in panels[index + 1 :])
    assert np.abs(panels[0].mean((0, 1)) - photo.mean((0, 1))).max() < 20


def test_what_goes_first_is_what_the_codec_says_or_the_blend() -> None:
    photo = sample_photo("coffee")[:200, :200]
    worths = None, central(photo), 1 - central(photo)
    last = [np.array_split(drawn(photo, central(photo), worth), 4, axis=1)[3].astype(int) for worth in worths]
    assert all(np.abs(a - b).mean() > 8 for a, b in zip(last, last[1:] + last[:1], strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (3, 200), (200, 3)])
@pytest.mark.parametrize("level", [0.0, 1.0])
def test_small_photos_and_flat_maps_are_drawn(shape: tuple[int, int], level: float) -> None:
    assert drawn(np.full((*shape, 3), 90, np.uint8), np.full(shape, level)).shape[1] == 2000


def test_ranks_by_hand() -> None:
    assert ranks(np.array([[0.5, 9.0, 0.5], [0.1, 0.7, 0.6]])) == pytest.approx(
        np.array([[0.3, 1.0, 0.3], [0.0, 0.8, 0.6]])
    )
    assert ranks(np.array([[4.0]])).tolist() == [[0]]

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.photo_names import find_names, load_photo, short_name, spread
from progressive.errors import UsageError
from progressive.photos import sample_photo


def test_a_sample_is_itself_or_brought_to_a_size() -> None:
    assert np.array_equal(load_photo("skimage:rocket"), sample_photo("rocket"))
    assert load_photo("skimage:coffee@768x512").shape == (512, 768, 3)
    # Of twice the height the middle is left: a colour at the top edge of the photo is gone.
    square = sample_photo("astronaut")
    wide = load_photo("skimage:astronaut@512x256")
    assert np.array_equal(wide, square[128:384])


@pytest.mark.parametrize(
    "name", ["skimage:coffee@", "skimage:coffee@768", "skimage:coffee@0x5", "skimage:coffee@9000x9000"]
)
def test_impossible_sizes_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="use such as @768x512"):
        find_names(name, Path())


def test_large_photos_are_downscaled(tmp_path: Path) -> None:
    Image.new("RGB", (1200, 900)).save(tmp_path / "large.png")
    [name] = find_names("large.png", tmp_path)
    height, width, _ = load_photo(name).shape
    assert height * width <= 768 * 512
    assert width / height == pytest.approx(4 / 3, rel=0.01)
    assert short_name(name) == "large.png"


def test_names_are_spread_from_first_to_last() -> None:
    assert spread([str(n) for n in range(24)], 4) == ("0", "6", "12", "18")
    assert spread(["a", "b"], 5) == ("a", "b")
    assert spread(["a", "b"], None) == ("a", "b")

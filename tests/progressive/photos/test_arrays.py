"""What callers hand over as photos is taken for what it is, or refused in words."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos import downscale, icc, png_bytes, read_photo, write_png
from progressive.photos.arrays import as_photo


@pytest.fixture
def photo() -> Photo:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_a_photo_stays_as_it_is_without_a_copy(photo: Photo) -> None:
    assert as_photo(photo) is photo


def test_floats_booleans_and_sixteen_bits_are_scaled(photo: Photo) -> None:
    for kind in (np.float16, np.float32, np.float64):
        assert np.abs(as_photo((photo / 255).astype(kind)).astype(int) - photo).max() <= 1
    assert np.array_equal(as_photo(photo.astype(np.uint16) * 257), photo)
    assert np.array_equal(as_photo((photo.astype(np.uint16) * 257).astype(">u2")), photo)
    assert np.array_equal(as_photo(photo > 127), (photo > 127) * 255)


def test_grey_alpha_and_channels_in_front_are_understood(photo: Photo) -> None:
    grey = photo[..., 0]
    expected = np.repeat(grey[..., None], 3, 2)
    for form in (grey, grey[..., None], grey[None], torch.tensor(grey), torch.tensor(grey)[None] / 255):
        assert np.array_equal(as_photo(form), expected)
    assert np.array_equal(as_photo(photo.transpose(2, 0, 1)), photo)
    alpha = np.full((6, 9, 1), 255, np.uint8)
    alpha[0] = 0
    over_white = photo.copy()
    over_white[0] = 255
    rgba = np.dstack([photo, alpha])
    for form in (rgba, rgba.transpose(2, 0, 1), Image.fromarray(rgba)):
        assert np.array_equal(as_photo(form), over_white)


def test_tensors_and_pictures_of_pillow_are_taken(photo: Photo) -> None:
    tensor = torch.tensor(photo).permute(2, 0, 1).float().div(255).requires_grad_()
    assert np.array_equal(as_photo(tensor), photo)
    assert np.abs(as_photo(tensor.detach().bfloat16()).astype(int) - photo).max() <= 1
    assert np.array_equal(as_photo(Image.fromarray(photo)), photo)
    wide = Image.fromarray(photo)
    wide.info["icc_profile"] = icc.colour_profile(icc.power(1), icc.P3_PRIMARIES)
    assert not np.array_equal(as_photo(wide), photo)


def test_views_of_any_stride_are_taken(photo: Photo) -> None:
    for view in (photo[::-1], photo[:, ::-2], np.rot90(photo)):
        assert np.array_equal(as_photo(view), view)
        assert as_photo(view).flags.c_contiguous


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.full((4, 4, 3), 200.0), "from 0 to 1"),
        (np.full((4, 4, 3), np.nan), "from 0 to 1"),
        (np.full((4, 4, 3), -0.1), "from 0 to 1"),
        (np.full((4, 4, 3), 200, np.uint16), "8 bits or 16"),
        (np.full((4, 4, 3), 200), "int64"),
        (np.full((4, 4, 3), 1j), "complex"),
        (np.zeros((4, 4, 2), np.uint8), r"\[4, 4, 2\]"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"\[1, 3, 4, 4\]"),
        (np.zeros(4, np.uint8), r"\[4\]"),
        (np.zeros((2, 4, 4, 3), np.int64), r"\[2, 4, 4, 3\]"),
        (np.ma.masked_array(np.zeros((4, 4, 3), np.uint8), True), "masked"),
        ([[[1, 2, 3]]], "list"),
        (None, "NoneType"),
        ("photo.png", "str"),
        (Image.new("F", (4, 4)), "16 bits"),
    ],
)
def test_what_could_mean_two_things_is_refused(value: object, said: str) -> None:
    with pytest.raises(UsageError, match=f"{said}.*use uint8"):
        as_photo(value)


def test_files_are_written_of_the_same(tmp_path: Path, photo: Photo) -> None:
    write_png(tmp_path / "a.png", (photo / 255).astype(np.float32))
    assert np.array_equal(read_photo(tmp_path / "a.png"), photo)
    assert png_bytes(photo.astype(np.uint16) * 257) == png_bytes(photo)
    assert np.array_equal(downscale(photo / 255, 2), downscale(photo, 2))
    with pytest.raises(UsageError):
        png_bytes(np.full((4, 4, 3), 200.0))

import contextlib
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.photos import photo_files as photos


@pytest.fixture
def photo() -> Photo:
    return np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def test_rgb_is_read_as_it_is(tmp_path: Path, photo: Photo) -> None:
    read = photos.read_photo(save(tmp_path / "a.png", Image.fromarray(photo)))
    np.testing.assert_array_equal(read, photo)
    assert read.flags.writeable


def test_one_pixel_is_a_photo(tmp_path: Path) -> None:
    assert photos.read_photo(save(tmp_path / "a.png", Image.new("RGB", (1, 1), (1, 2, 3)))).tolist() == [[[1, 2, 3]]]


def test_grey_and_bilevel_become_rgb(tmp_path: Path, photo: Photo) -> None:
    grey = photo[:, :, 0]
    read = photos.read_photo(save(tmp_path / "a.png", Image.fromarray(grey)))
    np.testing.assert_array_equal(read, np.repeat(grey[:, :, None], 3, axis=2))
    bilevel = photos.read_photo(save(tmp_path / "b.png", Image.new("1", (2, 2), 1)))
    assert bilevel.tolist() == [[[255] * 3] * 2] * 2


def test_exif_rotation_is_honoured(tmp_path: Path, photo: Photo) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    read = photos.read_photo(save(tmp_path / "a.png", Image.fromarray(photo), exif=exif))
    np.testing.assert_array_equal(read, np.rot90(photo, -1))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_laid_over_white(tmp_path: Path, mode: str) -> None:
    half = Image.new("RGBA", (2, 1), (0, 0, 0, 255))
    half.putpixel((1, 0), (0, 0, 0, 0))
    path = save(tmp_path / "a.tif", half.convert(mode)) if mode != "PA" else save(tmp_path / "a.png", half.quantize())
    assert photos.read_photo(path).tolist() == [[[0] * 3, [255] * 3]]


def test_half_transparent_black_over_white_is_mid_grey(tmp_path: Path) -> None:
    read = photos.read_photo(save(tmp_path / "a.png", Image.new("RGBA", (1, 1), (0, 0, 0, 128))))
    assert read.tolist() == [[[127] * 3]]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, name: str) -> None:
    deep = np.array([[0, 257, 128, 32768, 65535]], dtype=np.uint16)
    read = photos.read_photo(save(tmp_path / name, Image.fromarray(deep)))
    assert read[0, :, 0].tolist() == [0, 1, 0, 128, 255]


def test_sixteen_bit_colour_is_scaled(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    header = struct.pack("!IIBBBBB", 1, 1, 16, 2, 0, 0, 0)
    row = zlib.compress(b"\0" + struct.pack("!HHH", 0, 0x8000, 0xFFFF))
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", row) + chunk(b"IEND", b""))
    assert photos.read_photo(path).tolist() == [[[0, 128, 255]]]


def test_palette_animation_and_cmyk_work(tmp_path: Path) -> None:
    red, blue = Image.new("RGB", (4, 4), (255, 0, 0)), Image.new("RGB", (4, 4), (0, 0, 255))
    assert photos.read_photo(save(tmp_path / "p.png", red.quantize()))[0, 0].tolist() == [255, 0, 0]
    animated = save(tmp_path / "a.gif", red, save_all=True, append_images=[blue])
    assert photos.read_photo(animated)[0, 0].tolist() == [255, 0, 0]
    cmyk = photos.read_photo(save(tmp_path / "c.tif", red.convert("CMYK")))
    assert cmyk[0, 0].tolist() == [255, 0, 0]


def test_more_than_sixteen_bits_are_refused(tmp_path: Path) -> None:
    floats = save(tmp_path / "a.tif", Image.fromarray(np.zeros((2, 2), dtype=np.float32)))
    with pytest.raises(UsageError, match="16 bits"):
        photos.read_photo(floats)


@pytest.mark.parametrize(("width", "height"), [(8001, 8000), (20_000, 20_000), (65_536, 1)])
def test_size_is_refused_before_a_pixel_is_decoded(tmp_path: Path, width: int, height: int) -> None:
    path = save(tmp_path / "a.png", Image.new("1", (8, 8)))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack("!II", width, height)
    data[29:33] = struct.pack("!I", zlib.crc32(data[12:29]))
    path.write_bytes(data)
    with pytest.raises(UsageError, match="64 megapixels|65535 pixels"):
        photos.read_photo(path)


def test_missing_folder_and_foreign_files_are_refused_with_their_name(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no photo")
    (tmp_path / "empty.png").touch()
    for name in ("missing.png", "notes.png", "empty.png", "."):
        with pytest.raises(UsageError, match="^cannot read") as refusal:
            photos.read_photo(tmp_path / name)
        assert str(tmp_path) in str(refusal.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.gif", "a.webp", "a.tif"])
def test_a_photo_cut_anywhere_is_read_or_refused(tmp_path: Path, photo: Photo, name: str) -> None:
    path = save(tmp_path / name, Image.fromarray(photo))
    whole = path.read_bytes()
    refused = 0
    for length in range(0, len(whole), max(1, len(whole) // 50)):
        path.write_bytes(whole[:length])
        try:
            assert photos.read_photo(path).shape == photo.shape
        except UsageError:
            refused += 1
    assert refused > 10


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_photo_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.png"
    Image.linear_gradient("L").resize((16, 16)).save(path)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    with contextlib.suppress(UsageError):
        assert photos.read_photo(path).ndim == 3


def test_a_folder_or_a_glob_lists_its_photos_in_natural_order(tmp_path: Path) -> None:
    for name in ("10.png", "2.PNG", "1.jpg", "readme.md", "._1.png", ".hidden.jpg"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [p.name for p in photos.find_photos(str(tmp_path))] == ["1.jpg", "2.PNG", "10.png"]
    assert [p.name for p in photos.find_photos(str(tmp_path / "*.png"))] == ["10.png"]
    assert photos.find_photos(str(tmp_path / "readme.md")) == [tmp_path / "readme.md"]


def test_a_source_without_photos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no photos in"):
        photos.find_photos(str(tmp_path))
    with pytest.raises(UsageError, match="no photos in"):
        photos.find_photos(str(tmp_path / "*.png"))
    with pytest.raises(UsageError, match="no such file"):
        photos.find_photos(str(tmp_path / "missing.png"))
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UsageError, match="not a regular file"):
        photos.find_photos(str(tmp_path / "pipe.png"))


@pytest.mark.parametrize("name", photos.SAMPLES)
def test_samples_are_colour_photos(name: str) -> None:
    sample = photos.sample_photo(name)
    assert sample.dtype == np.uint8
    assert sample.shape[2] == 3


def test_an_unknown_sample_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="astronaut"):
        photos.sample_photo("lena")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 500))
def test_downscaling_keeps_within_the_pixels_asked_for(height: int, width: int, max_pixels: int) -> None:
    small = photos.downscale(np.zeros((height, width, 3), dtype=np.uint8), max_pixels=max_pixels)
    assert 1 <= small.shape[0] <= height
    assert 1 <= small.shape[1] <= width
    assert small.shape[0] * small.shape[1] <= max(max_pixels, *small.shape[:2])
    if height * width <= max_pixels:
        assert small.shape == (height, width, 3)


def test_downscaling_divides_the_sides_by_the_factor_and_keeps_the_mean() -> None:
    photo = photos.sample_photo()
    small = photos.downscale(photo, 4)
    assert small.shape == (128, 128, 3)
    np.testing.assert_allclose(small.mean((0, 1)), photo.mean((0, 1)), atol=1)


def test_written_png_reads_back(tmp_path: Path, photo: Photo) -> None:
    photos.write_png(tmp_path / "a.png", photo)
    np.testing.assert_array_equal(photos.read_photo(tmp_path / "a.png"), photo)
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]

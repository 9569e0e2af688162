"""Pictures in other colours than sRGB are read as the colours that they stand for."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from progressive.codec import Photo
from progressive.metrics import psnr
from progressive.photos import icc, read_photo, sample_photo

P3 = icc.colour_profile(icc.srgb, icc.P3_PRIMARIES, name="P3")
ADOBE = icc.colour_profile(icc.power(563 / 256), icc.ADOBE_RGB_PRIMARIES, name="Adobe")
SRGB = icc.colour_profile(icc.srgb, icc.SRGB_PRIMARIES)
LINEAR_GREY = icc.grey_profile(icc.power(1), name="linear grey")

TO_XYZ = {
    P3: [[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]],
    ADOBE: [[0.5767, 0.1856, 0.1882], [0.2973, 0.6274, 0.0753], [0.0270, 0.0707, 0.9911]],
    SRGB: [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]],
}
"""As published: light of each primary at full strength to X, Y, Z under D65, of which no profile of ours is made."""


@pytest.fixture(scope="module")
def photo() -> Photo:
    return sample_photo("coffee")[100:228, 100:228]


def in_colours(photo: Photo, profile: bytes) -> Photo:
    """The photo in the numbers of a profile."""
    stored = photo / 255
    light = np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ (np.linalg.solve(TO_XYZ[profile], TO_XYZ[SRGB])).T, 0, 1)
    if profile == ADOBE:
        stored = light ** (256 / 563)
    else:
        stored = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(stored * 255).astype(np.uint8)


def save(path: Path, pixels: Any, **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("profile", [P3, ADOBE], ids=["p3", "adobe"])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.jpg", {"quality": 100, "subsampling": 0}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("a.avif", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_wide_colours_become_srgb_and_are_told_once(
    tmp_path: Path, photo: Photo, profile: bytes, name: str, options: dict[str, Any]
) -> None:
    told: list[str] = []
    path = save(tmp_path / name, in_colours(photo, profile), icc_profile=profile, **options)
    assert psnr(read_photo(path, tell=told.append), photo) > 42
    assert psnr(read_photo(save(tmp_path / f"plain_{name}", in_colours(photo, profile), **options)), photo) < 38
    assert len(told) == 1
    assert "converted to sRGB" in told[0]


def test_transparent_and_palette_pictures_are_converted_too(tmp_path: Path, photo: Photo) -> None:
    wide = in_colours(photo, ADOBE)
    alpha = np.full((*photo.shape[:2], 1), 255, np.uint8)
    alpha[:64] = 0
    read = read_photo(save(tmp_path / "a.png", np.dstack([wide, alpha]), icc_profile=ADOBE))
    assert (read[:64] == 255).all()
    assert psnr(read[64:], photo[64:]) > 45
    palette = Image.fromarray(wide).quantize(64)
    palette.save(tmp_path / "p.png", icc_profile=ADOBE)
    Image.fromarray(np.asarray(palette.convert("RGB"))).save(tmp_path / "rgb.png", icc_profile=ADOBE)
    assert np.array_equal(read_photo(tmp_path / "p.png"), read_photo(tmp_path / "rgb.png"))


@pytest.mark.parametrize("deep", [False, True])
def test_linear_grey_gets_the_curve_of_srgb(tmp_path: Path, deep: bool) -> None:
    light = np.array([[0, 9, 55, 128, 255]])
    samples = (light * 257).astype(np.uint16) if deep else light.astype(np.uint8)
    path = save(tmp_path / ("a.tif" if deep else "a.png"), samples, icc_profile=LINEAR_GREY)
    np.testing.assert_allclose(read_photo(path)[0, :, 1], [0, 52, 128, 188, 255], atol=1)


def test_srgb_under_its_own_name_changes_nothing_and_says_nothing(tmp_path: Path, photo: Photo) -> None:
    told: list[str] = []
    for profile in (SRGB, ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        path = save(tmp_path / "a.png", photo, icc_profile=profile)
        assert np.array_equal(read_photo(path, tell=told.append), photo)
    assert not told


@pytest.mark.parametrize("profile", [b"no profile", P3[:200], LINEAR_GREY], ids=["text", "cut", "of grey"])
def test_a_broken_profile_is_ignored_with_a_line(tmp_path: Path, photo: Photo, profile: bytes) -> None:
    told: list[str] = []
    read = read_photo(save(tmp_path / "a.png", photo, icc_profile=profile), tell=told.append)
    assert np.array_equal(read, photo)
    assert len(told) == 1
    assert "taken as sRGB" in told[0]


def test_a_profile_beyond_all_measure_is_ignored_with_a_line(tmp_path: Path, photo: Photo) -> None:
    told: list[str] = []
    read = read_photo(save(tmp_path / "a.png", photo, icc_profile=P3 + bytes(2 << 20)), tell=told.append)
    assert np.array_equal(read, photo)
    assert len(told) == 1


def with_chunk(path: Path, kind: bytes, data: bytes) -> None:
    content = path.read_bytes()
    chunk = struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
    path.write_bytes(content[:33] + chunk + content[33:])  # behind the header


def test_colours_that_a_png_names_by_number_are_converted(tmp_path: Path, photo: Photo) -> None:
    path = save(tmp_path / "a.png", in_colours(photo, P3))
    with_chunk(path, b"cICP", bytes([12, 13, 0, 1]))
    assert psnr(read_photo(path), photo) > 45


def test_a_png_of_linear_light_is_converted_and_the_usual_gamma_is_left(tmp_path: Path, photo: Photo) -> None:
    grey = save(tmp_path / "a.png", np.array([[0, 9, 55, 128, 255]], np.uint8))
    with_chunk(grey, b"gAMA", struct.pack("!I", 100_000))
    np.testing.assert_allclose(read_photo(grey)[0, :, 1], [0, 52, 128, 188, 255], atol=1)
    usual = save(tmp_path / "b.png", photo)
    with_chunk(usual, b"gAMA", struct.pack("!I", 45_455))
    assert np.array_equal(read_photo(usual), photo)


def test_a_jpeg_of_adobe_rgb_by_its_interoperability_is_converted(tmp_path: Path, photo: Photo) -> None:
    def directory(tag: int, kind: int, count: int, value: bytes) -> bytes:
        return struct.pack("<HHHI", 1, tag, kind, count) + value + bytes(4)

    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    exif += directory(0x8769, 4, 1, struct.pack("<I", 26)) + directory(0xA005, 4, 1, struct.pack("<I", 44))
    exif += directory(1, 2, 4, b"R03\0")
    path = save(tmp_path / "a.jpg", in_colours(photo, ADOBE), quality=100, subsampling=0, exif=exif)
    assert psnr(read_photo(path), photo) > 42


def test_colours_that_an_avif_names_by_number_are_converted(tmp_path: Path, photo: Photo) -> None:
    path = save(tmp_path / "a.avif", in_colours(photo, P3), quality=100, subsampling="4:4:4")
    content = path.read_bytes()
    place = content.index(b"colrnclx") + 8
    path.write_bytes(content[:place] + struct.pack("!HH", 12, 13) + content[place + 4 :])
    assert psnr(read_photo(path), photo) > 42

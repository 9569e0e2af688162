"""Photos of 16 bits a sample show the same picture as with 8, whatever the file's order of samples, or are refused."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from progressive.errors import UsageError
from progressive.photos import read_photo

GREY = np.arange(20 * 30, dtype=np.uint32).reshape(20, 30) * 251 % 256
RGB = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=-1)
OPAQUE = np.full((20, 30, 1), 255, np.uint32)

KINDS: dict[str, tuple[NDArray[Any], NDArray[Any], dict[str, Any]]] = {
    "black is zero": (GREY, GREY, {"photometric": "minisblack"}),
    "white is zero": (255 - GREY, GREY, {"photometric": "miniswhite"}),
    "rgb": (RGB, RGB, {"photometric": "rgb"}),
    "planes": (np.moveaxis(RGB, -1, 0), RGB, {"photometric": "rgb", "planarconfig": "separate"}),
    "rgb and alpha": (np.dstack([RGB, OPAQUE]), RGB, {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "planes and alpha": (
        np.moveaxis(np.dstack([RGB, OPAQUE]), -1, 0),
        RGB,
        {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"]},
    ),
    "half transparent": (
        np.dstack([RGB // 255 * 51, OPAQUE // 5]),
        204 + RGB // 255 * 51,
        {"photometric": "rgb", "extrasamples": ["assocalpha"]},
    ),
    "something else": (np.dstack([RGB, 0 * OPAQUE]), RGB, {"photometric": "rgb", "extrasamples": ["unspecified"]}),
    "grey and alpha": (
        np.dstack([GREY, OPAQUE]),
        GREY,
        {"photometric": "minisblack", "extrasamples": ["unassalpha"], "planarconfig": "contig"},
    ),
    "cmyk": (np.dstack([255 - RGB, 0 * OPAQUE]), RGB, {"photometric": "separated"}),
}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("kind", KINDS)
def test_deep_tiff(tmp_path: Path, kind: str, order: str, compression: str | None, tile: tuple[int, int]) -> None:
    samples, picture, options = KINDS[kind]
    path = tmp_path / "a.tif"
    deep = (samples * 257).astype(np.uint16)
    tifffile.imwrite(path, deep, byteorder=order, compression=compression, tile=tile, **options)
    expected = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    assert np.abs(read_photo(path).astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits"])
def test_deep_tiff_of_compressions_that_pillow_reads(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.tif"
    image = Image.fromarray((65535 - GREY * 257).astype(np.uint16))
    image.save(path, compression=compression, tiffinfo={262: 0})
    assert np.array_equal(read_photo(path)[..., 0], GREY)


def test_a_deep_tiff_is_turned_as_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (RGB * 257).astype(np.uint16), photometric="rgb", extratags=[(274, 3, 1, 6, True)])
    assert np.array_equal(read_photo(path), np.rot90(RGB, -1))


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.float32, np.float64])
def test_samples_without_a_set_white_are_refused(tmp_path: Path, dtype: Any) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY.astype(dtype), photometric="minisblack")
    with pytest.raises(UsageError, match="save it with 8 or 16"):
        read_photo(path)


def test_twelve_bits_are_refused_rather_than_read_sixteen_times_too_dark(tmp_path: Path) -> None:
    entries = [(256, 3, 2), (257, 3, 2), (258, 3, 12), (259, 3, 1), (262, 3, 1), (273, 4, 200), (277, 3, 1)]
    entries += [(278, 3, 2), (279, 4, 6)]
    directory = b"".join(struct.pack("<HHI", tag, kind, 1) + struct.pack("<I", value) for tag, kind, value in entries)
    content = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + bytes(4)
    (tmp_path / "a.tif").write_bytes(content.ljust(200, b"\0") + b"\xff" * 6)
    with pytest.raises(UsageError, match="12 bits, save it with 8 or 16"):
        read_photo(tmp_path / "a.tif")


def test_a_deep_tiff_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, (np.moveaxis(RGB, -1, 0) * 257).astype(np.uint16), photometric="rgb", planarconfig=2)
    path.write_bytes(path.read_bytes()[:-700])
    with pytest.raises(UsageError, match="cut short"):
        read_photo(path)


def test_a_deep_tiff_beyond_the_limits_is_refused_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, shape=(1, 65_600), dtype=np.uint16, photometric="miniswhite")
    with pytest.raises(UsageError, match="65535 pixels"):
        read_photo(path)


def png(path: Path, samples: NDArray[Any], colour: int, transparent: tuple[int, ...]) -> Path:
    """A PNG of 16 bits with a value or colour that is transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))

    height, width = samples.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    content = chunk(b"IHDR", struct.pack("!IIBBBBB", width, height, 16, colour, 0, 0, 0))
    content += chunk(b"tRNS", struct.pack(f"!{len(transparent)}H", *transparent))
    content += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    return path


def test_the_transparent_value_of_deep_grey_is_white(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png", np.array([[0, 1000, 1001, 65535]], np.uint16), 0, (1000,))
    assert read_photo(path)[0, :, 0].tolist() == [0, 255, 4, 255]


def test_a_transparent_colour_of_sixteen_bits_is_refused_where_it_matters(tmp_path: Path) -> None:
    samples = np.array([[[0, 0, 0], [0x1234, 0x1234, 0x1234]]], np.uint16)
    with pytest.raises(UsageError, match="alpha channel"):
        read_photo(png(tmp_path / "a.png", samples, 2, (0x1234,) * 3))
    assert read_photo(png(tmp_path / "b.png", samples, 2, (0x8000,) * 3))[0, :, 0].tolist() == [0, 0x12]


def test_more_text_than_pillow_takes_is_passed_over_and_the_picture_still_turned(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Comment", "long " * (1 << 19), zip=True)
    text.add_text("More", "long " * (1 << 19))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB.astype(np.uint8)).save(tmp_path / "a.png", pnginfo=text, exif=exif)
    assert np.array_equal(read_photo(tmp_path / "a.png"), np.rot90(RGB, -1))

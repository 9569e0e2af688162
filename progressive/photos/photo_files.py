"""Photos in and out: whatever Pillow reads becomes one kind of array, 8-bit sRGB [H, W, 3]."""

from __future__ import annotations

import glob
import io
import math
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import as_file, input_name, is_standard, reason, write_atomically
from progressive.photos.arrays import as_photo
from progressive.photos.colours import Tell
from progressive.photos.deep_tiff import open_deep_tiff
from progressive.photos.images import silent, to_photo, with_right_samples
from progressive.photos.png_chunks import SIGNATURE, picture_only, without_text
from progressive.stream import MAX_PIXELS, MAX_SIDE
from progressive.suggestions import use_one_of

SAMPLES = ("astronaut", "chelsea", "coffee", "rocket")
"""Photos that scikit-image ships inside its wheel."""

FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")
"""What is read, as Pillow names it; left out are formats that start other programs (EPS) or fit any bytes (TGA)."""

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".mpo", ".webp", ".tif", ".tiff", ".gif", ".bmp"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif"),
)
"""Which files of a folder are photos."""

_ROUNDING = 1e-6
"""Pixels that a side may miss a whole number by because a factor was rounded."""


MAX_PHOTO_BYTES = 8 * MAX_PIXELS
"""Largest photo that is taken from standard input: as large as one of 16 bits, with alpha, not compressed."""


def read_photo(path: Path | str, *, tell: Tell | None = None) -> Photo:
    """The photo in a file, or for `-` on standard input, [H, W, 3].

    EXIF rotation is honoured, colours become sRGB whatever the file says they are, transparency is laid over white,
    16-bit samples are scaled to 8, grey, palette and CMYK become RGB, and of an animation the first frame is taken.
    `tell` takes a line for a person if the colours were converted, or if what the file says of them is damaged.

    Raises UsageError if the file is missing, damaged, no photo, of samples that cannot be read right, or beyond the
    limits on pixels and sides, which are checked before any pixel is decoded.
    """
    with as_file(path, limit=MAX_PHOTO_BYTES) as file:
        return _read(file, input_name(path), tell)


def _read(path: Path, name: str, tell: Tell | None) -> Photo:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with _open(path, name, tell or silent) as image:
                return to_photo(image, path=path, tell=tell)
    except UsageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UsageError(f"cannot read {name}: it has more than {MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"cannot read {name}: not a photo in any of {', '.join(FORMATS)}") from error
    except OSError as error:
        raise UsageError(f"cannot read {name}: {reason(error)}") from error
    except Exception as error:  # on damaged files Pillow's decoders raise whatever their parsers stumble over
        raise UsageError(f"cannot read {name}: {error or type(error).__name__}") from error


def find_photos(source: str) -> list[Path]:
    """The photos that a file name, `-`, a folder or a glob stands for, in natural order: `2.png` before `10.png`.

    Raises UsageError if there is none.
    """
    path = Path(source)
    if is_standard(path) or path.is_file():
        return [path]
    try:
        candidates = _visible(path) if path.is_dir() else [Path(p) for p in glob.glob(source, recursive=True)]
    except OSError as error:
        raise UsageError(f"cannot read {source}: {reason(error)}") from error
    photos = [p for p in candidates if p.suffix.lower() in SUFFIXES and p.is_file()]
    if not photos:
        if path.is_dir() or glob.has_magic(source):
            raise UsageError(f"no photos in {source}: looked for files that end in {' '.join(SUFFIXES)}")
        what = "not a regular file" if path.exists() else "no such file or folder"
        raise UsageError(f"cannot read {source}: {what}")
    return sorted(photos, key=_natural_key)


def sample_photo(name: str = "astronaut") -> Photo:
    """A photo to try things with, [H, W, 3], taken from scikit-image's wheel; raises UsageError for an unknown name."""
    if name not in SAMPLES:
        raise UsageError(f"unknown sample photo {name!r}: {use_one_of(name, SAMPLES)}")
    from skimage import data

    return np.asarray(getattr(data, name)(), dtype=np.uint8)


def downscale(photo: Photo, factor: float = 1.0, *, max_pixels: int | None = None) -> Photo:
    """The photo with its sides divided by `factor` (1 or more), and further until it has at most `max_pixels`.

    Takes and refuses what `as_photo` does.
    """
    photo = as_photo(photo)
    height, width = photo.shape[:2]
    if max_pixels is not None:
        factor = max(factor, math.sqrt(height * width / max_pixels))
    if factor <= 1:
        return photo
    size = max(1, math.floor(width / factor + _ROUNDING)), max(1, math.floor(height / factor + _ROUNDING))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))


def png_bytes(photo: Photo) -> bytes:
    """The photo as a PNG file's content. Takes and refuses what `as_photo` does."""
    buffer = io.BytesIO()
    Image.fromarray(as_photo(photo)).save(buffer, "PNG", compress_level=3)
    return buffer.getvalue()


def write_png(path: Path | str, photo: Photo) -> None:
    """Writes the photo, whole or not at all; raises UsageError if unwritable, RunError if the disk is full."""
    write_atomically(Path(path), png_bytes(photo))


def _formats() -> list[str]:
    """Those of FORMATS that this build of Pillow knows: it fails on a name that it does not."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _check_size(name: str, size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise UsageError(
            f"cannot read {name}: {width}x{height} is more than {MAX_PIXELS // 10**6} megapixels, downscale it first"
        )
    if max(size) > MAX_SIDE:
        raise UsageError(
            f"cannot read {name}: {width}x{height} has a side beyond {MAX_SIDE} pixels, downscale it first"
        )


def _open(path: Path, name: str, tell: Tell) -> Image.Image:
    """The picture as it lies in the file, decoded, its size checked before."""

    def check_size(size: tuple[int, int]) -> None:
        _check_size(name, size)

    if (deep := open_deep_tiff(path, check_size)) is not None:
        return deep
    try:
        return _decoded(name, path)
    except ValueError:  # perhaps for text or a profile beside the picture that is beyond Pillow's limits
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                raise
            leaner = [without_text(file), picture_only(file)]
    try:
        return _decoded(name, leaner[0])
    except ValueError:
        image = _decoded(name, leaner[1])
        tell("what is said beside a picture is too long or damaged, its colours are taken as sRGB")
        return image


def _decoded(name: str, file: Path | str | io.BytesIO) -> Image.Image:
    image = Image.open(file, formats=_formats())
    try:
        _check_size(name, image.size)
        image.load()
    except BaseException:
        image.close()
        raise
    return with_right_samples(image)


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, without the files that systems keep there for themselves, such as `._1.png`."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def _natural_key(path: Path) -> list[str | int]:
    parts = re.split("([0-9]+)", str(path).casefold())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)]

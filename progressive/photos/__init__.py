"""Photos as files and arrays: read in sRGB whatever they were, found, shrunk, written."""

from progressive.photos.images import resized
from progressive.photos.photo_files import (
    SAMPLES,
    SUFFIXES,
    downscale,
    find_photos,
    png_bytes,
    read_photo,
    sample_photo,
    write_png,
)

__all__ = [
    "SAMPLES",
    "SUFFIXES",
    "downscale",
    "find_photos",
    "png_bytes",
    "read_photo",
    "resized",
    "sample_photo",
    "write_png",
]

"""What is read of a photo's file beside its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from progressive.photos.exif import about_photo
from progressive.wire.about import About

PLACE = {1: "N", 2: (47.0, 15.0, 36.0), 3: "W", 4: (11.0, 23.0, 24.0), 5: b"\x00", 6: 612.5}
DETAILS = {36867: "2030:01:31 18:00:00", 36881: "+01:00"}


def photo(path: Path, details: dict[int, Any] = DETAILS, place: dict[int, Any] = PLACE) -> Path:
    image = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 1  # upright; of an empty directory Pillow writes nothing
    exif.get_ifd(0x8769).update(details)
    exif.get_ifd(0x8825).update(place)
    image.save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_name_time_and_place_are_known(tmp_path: Path, suffix: str) -> None:
    about = about_photo(photo(tmp_path / f"cliff.{suffix}"))
    assert about == About(
        name=f"cliff.{suffix}",
        taken="2030-01-31T18:00:00+01:00",
        latitude=47.26,
        longitude=-11.39,
        altitude_m=612.5,
    )


def test_without_exif_the_name_is_known(tmp_path: Path) -> None:
    path = tmp_path / "plain.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path)
    assert about_photo(path) == About(name="plain.png")


@pytest.mark.parametrize(
    ("details", "place"),
    [
        ({36867: "0000:00:00 00:00:00"}, {2: (IFDRational(1, 0), 0.0, 0.0)}),
        ({36867: "yesterday", 36881: "CET"}, {2: (91.0, 0.0, 0.0), 4: (181.0, 0.0, 0.0)}),
        ({}, {2: (47.0,), 6: IFDRational(1, 0)}),
    ],
)
def test_what_makes_no_sense_is_left_out(tmp_path: Path, details: dict[int, Any], place: dict[int, Any]) -> None:
    assert about_photo(photo(tmp_path / "odd.jpg", details, place)) == About(name="odd.jpg")


def test_a_damaged_file_and_a_name_of_any_kind_are_no_failure(tmp_path: Path) -> None:
    path = tmp_path / "line\nbreak\x1b.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00MM")
    assert about_photo(path) == About(name="line_break_.jpg")
    long = tmp_path / ("é" * 100 + ".jpg")
    assert about_photo(long).name.endswith("é.jpg")
    assert about_photo(Path("-")) == About()

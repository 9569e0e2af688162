"""What a photo's file says of it: its name, and the time and place of its EXIF."""

from __future__ import annotations

import math
import re
import warnings
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from PIL import Image

from progressive.files import is_standard
from progressive.wire.about import MAX_NAME, MAX_NAME_BYTES, About

_EXIF, _GPS = 0x8769, 0x8825
_TAKEN, _TAKEN_OFFSET, _CHANGED = 36867, 36881, 306
_LATITUDE_REF, _LATITUDE, _LONGITUDE_REF, _LONGITUDE, _ALTITUDE_REF, _ALTITUDE = 1, 2, 3, 4, 5, 6
_OFFSET = re.compile(r"[+-]\d\d:\d\d")


def about_photo(path: Path) -> About:
    """The name of a photo's file, and what its EXIF says of time and place; whatever is damaged is left out."""
    if is_standard(path):
        return About()
    main, details, place = _read(path)
    return About(
        name=_name(path),
        taken=_time(details.get(_TAKEN) or main.get(_CHANGED), details.get(_TAKEN_OFFSET)),
        latitude=_degrees(place, _LATITUDE, _LATITUDE_REF, "S", 90),
        longitude=_degrees(place, _LONGITUDE, _LONGITUDE_REF, "W", 180),
        altitude_m=_altitude(place),
    )


def _read(path: Path) -> tuple[dict[int, Any], dict[int, Any], dict[int, Any]]:
    """The directories of the EXIF, empty where there are none."""
    # Pillow raises whatever its parsers stumble over; a photo that cannot be read is refused elsewhere.
    with suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path) as image:
            exif = image.getexif()
            return dict(exif), dict(exif.get_ifd(_EXIF)), dict(exif.get_ifd(_GPS))
    return {}, {}, {}


def _name(path: Path) -> str:
    shown = "".join(c if c.isprintable() else "_" for c in path.name[-MAX_NAME:])
    return shown.encode(errors="replace")[-MAX_NAME_BYTES:].decode(errors="ignore")


def _time(value: object, offset: object) -> str:
    """EXIF's `2030:01:31 18:00:00` as ISO 8601, with the difference from UTC if that is known."""
    with suppress(ValueError):
        taken = datetime.strptime(str(value).strip("\0 "), "%Y:%m:%d %H:%M:%S")
        zone = str(offset).strip("\0 ")
        return taken.isoformat() + (zone if _OFFSET.fullmatch(zone) else "")
    return ""


def _degrees(place: dict[int, Any], tag: int, reference: int, negative: str, limit: int) -> float | None:
    with suppress(ValueError, TypeError, ZeroDivisionError):
        degrees, minutes, seconds = (float(part) for part in place.get(tag, ()))
        value = degrees + minutes / 60 + seconds / 3600
        if math.isfinite(value) and 0 <= value <= limit:
            south = str(place.get(reference, "")).strip("\0 ").upper().startswith(negative)
            return round(-value if south else value, 6)
    return None


def _altitude(place: dict[int, Any]) -> float | None:
    with suppress(ValueError, TypeError, ZeroDivisionError):
        value = float(place[_ALTITUDE]) if _ALTITUDE in place else math.nan
        if math.isfinite(value) and abs(value) <= 100_000:
            below = place.get(_ALTITUDE_REF) in {1, b"\x01"}
            return round(-value if below else value, 1)
    return None

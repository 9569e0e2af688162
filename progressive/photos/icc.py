"""Colour profiles written from a few numbers, for files that name their colours instead of carrying a profile."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB_PRIMARIES = (0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
P3_PRIMARIES = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
BT2020_PRIMARIES = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
"""x and y of red, green and blue."""

D65 = (0.3127, 0.3290)

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From what a file stores to light, both 0..1."""

_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_CURVE_POINTS = 1024


def power(exponent: float) -> Curve:
    """The curve of a display's gamma; 1 is linear."""
    return lambda stored: stored**exponent


def srgb(stored: NDArray[np.float64]) -> NDArray[np.float64]:
    """The curve of sRGB."""
    return np.where(stored <= 0.04045, stored / 12.92, ((stored + 0.055) / 1.055) ** 2.4)


def colour_profile(
    curve: Curve, primaries: Sequence[float], white: Sequence[float] = D65, *, name: str = "as the file says"
) -> bytes:
    """An ICC profile of RGB with these primaries, x and y of red, green, blue, and this white.

    Raises ValueError if they span no colours.
    """
    try:
        columns = _d50_columns(np.array(primaries, float).reshape(3, 2), np.array(white, float))
    except np.linalg.LinAlgError as error:
        raise ValueError("the primaries span no colours") from error
    if not np.isfinite(columns).all() or np.abs(columns).max() > 2:
        raise ValueError("the primaries span no colours")
    light = {f"{letter}XYZ".encode(): _xyz(column) for letter, column in zip("rgb", columns.T, strict=True)}
    table = _curve(curve)
    return _profile(b"RGB ", name, light | {b"rTRC": table, b"gTRC": table, b"bTRC": table})


def grey_profile(curve: Curve, *, name: str = "as the file says") -> bytes:
    """An ICC profile of grey."""
    return _profile(b"GRAY", name, {b"kTRC": _curve(curve)})


def _d50_columns(primaries: NDArray[np.float64], white: NDArray[np.float64]) -> NDArray[np.float64]:
    """X, Y, Z of each primary at full light, seen under D50 as profiles want it, [3, 3]."""
    with np.errstate(all="ignore"):
        chromatic = np.vstack([primaries.T / primaries[:, 1], (1 - primaries.sum(1)) / primaries[:, 1]])
        chromatic[[0, 1, 2]] = chromatic[0], np.ones(3), chromatic[2]
        white_xyz = np.array([white[0], white[1], 1 - white.sum()]) / white[1]
        to_xyz = chromatic * np.linalg.solve(chromatic, white_xyz)
        scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white_xyz))
    return np.asarray(np.linalg.solve(_BRADFORD, scale @ _BRADFORD) @ to_xyz)


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack("!3i", *(round(value * 65536) for value in values))


def _curve(curve: Curve) -> bytes:
    light = np.clip(curve(np.linspace(0, 1, _CURVE_POINTS)), 0, 1)
    return b"curv\0\0\0\0" + struct.pack("!I", _CURVE_POINTS) + np.round(light * 65535).astype(">u2").tobytes()


def _profile(space: bytes, name: str, tags: dict[bytes, bytes]) -> bytes:
    """Version 2.4 of the format: a header of 128 bytes, a table of tags, the tags on multiples of four bytes."""
    text = name.encode("ascii", "replace") + b"\0"
    description = b"desc\0\0\0\0" + struct.pack("!I", len(text)) + text + bytes(78)
    tags = {b"desc": description, b"wtpt": _xyz(_D50)} | tags
    table, content = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for kind, data in tags.items():
        table += kind + struct.pack("!II", start + len(content), len(data))
        content += data + bytes(-len(data) % 4)
    size = start + len(content)
    header = struct.pack("!I4xI4s4s4s12x4s", size, 0x02400000, b"mntr", space, b"XYZ ", b"acsp")
    header = header.ljust(68, b"\0") + struct.pack("!3i", *(round(v * 65536) for v in _D50))
    return header.ljust(128, b"\0") + struct.pack("!I", len(tags)) + table + content

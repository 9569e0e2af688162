"""Addresses that the camera of a phone reads from a terminal."""

from __future__ import annotations

from importlib.util import find_spec
from itertools import zip_longest

BORDER = 2
"""Light modules around the code: less than the standard's four, and enough for cameras."""

_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def qr_code(text: str) -> str:
    """The text as a QR code of half blocks, two rows of modules a line, dark on light; empty without segno."""
    if find_spec("segno") is None:
        return ""
    import segno

    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=BORDER)]
    pairs = zip_longest(rows[::2], rows[1::2], fillvalue=[0] * len(rows[0]))
    return "\n".join("".join(_HALVES[high, low] for high, low in zip(*pair, strict=True)) for pair in pairs)

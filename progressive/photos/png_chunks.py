"""The chunks of PNG files: what a picture needs, without the text that may be there beside it."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Container, Iterator
from typing import IO

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"eXIf"}
_TURNS = (b"XML:com.adobe.xmp\0", b"Raw profile type ")
"""How text begins that may say how the picture is turned."""

_MOST_TEXT = 1 << 16


def chunks(file: IO[bytes], wanted: Container[bytes], *, most: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of the wanted chunks of a PNG file, of at most so many bytes each; others are passed over."""
    file.seek(len(SIGNATURE))
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack("!I4s", head)
        if kind in wanted and size <= most:
            yield kind, file.read(size)
            file.seek(4, io.SEEK_CUR)
        else:
            file.seek(size + 4, io.SEEK_CUR)


def without_text(file: IO[bytes]) -> io.BytesIO:
    """The PNG file again, without text but what may say how the picture is turned."""

    def keep(kind: bytes, data: bytes) -> bool:
        return kind in _PICTURE or kind == b"iCCP" or (len(data) <= _MOST_TEXT and data.startswith(_TURNS))

    return _only(file, keep)


def picture_only(file: IO[bytes]) -> io.BytesIO:
    """The PNG file again, with nothing in it but what the picture cannot be decoded without."""
    return _only(file, lambda kind, _: kind in _PICTURE)


def _only(file: IO[bytes], keep: Callable[[bytes, bytes], bool]) -> io.BytesIO:
    kept = io.BytesIO()
    file.seek(0)
    kept.write(file.read(len(SIGNATURE)))
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack("!I4s", head)
        body = file.read(size + 4)
        if keep(kind, body[:-4]):
            kept.write(head + body)
    kept.seek(0)
    return kept

"""Numbers in groups of seven bits, lowest first; the high bit of a byte says that another follows."""

from __future__ import annotations

from progressive.errors import WireError

MAX_VARINT = 0xFFFFFFFF
_MOST_BYTES = 5


def varint(number: int) -> bytes:
    """1 to 5 bytes for 0..2^32-1."""
    data = bytearray()
    while number > 127:
        data.append(number & 127 | 128)
        number >>= 7
    return bytes([*data, number])


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The number at a position, and where it ends; raises WireError if it is cut short or too large."""
    number = 0
    for place in range(_MOST_BYTES):
        if position + place >= len(data):
            raise WireError("a number is cut short")
        byte = data[position + place]
        number |= (byte & 127) << 7 * place
        if byte < 128:
            if number > MAX_VARINT:
                break
            return number, position + place + 1
    raise WireError("a number of more than 32 bits")

"""The setting of a format whose file fits a limit as tightly as the format permits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from progressive.codec import Photo

Setting = TypeVar("Setting")


@dataclass(frozen=True, slots=True)
class CodedFile:
    """A photo in another format.

    Fields:
        size: bytes of the whole file.
        decode: gives the picture, [H, W, 3].
        setting: what made it, in words.
    """

    size: int
    decode: Callable[[], Photo]
    setting: str


def tightest(
    encode: Callable[[Setting], bytes], settings: Sequence[Setting], limits: Sequence[int]
) -> Iterator[tuple[Setting, bytes]]:
    """The largest file within each limit in bytes, found by bisection and interpolation, with the setting that made it.

    Args:
        settings: in order of their files' sizes, or nearly so.

    Each setting is encoded once at most and its file comes once at most; a limit below the smallest file gives none.
    """
    files: dict[int, bytes] = {}
    found: dict[int, None] = {}
    for limit in sorted(limits):
        low = max((i for i, file in files.items() if len(file) <= limit), default=-1)
        high = min((i for i, file in files.items() if len(file) > limit and i > low), default=len(settings))
        while high - low > 1:
            guess = _between(low, high, limit, files)
            files[guess] = encode(settings[guess])
            low, high = (guess, high) if len(files[guess]) <= limit else (low, guess)
        if low >= 0:
            found[low] = None
    for index in found:
        yield settings[index], files[index]


def _between(low: int, high: int, limit: int, files: Mapping[int, bytes]) -> int:
    """Where the limit lies if sizes grow by the same factor from setting to setting; in the middle if that is unknown.

    Every other guess is the middle, so that sizes of any other growth take at most twice as long as by bisection.
    """
    middle = (low + high) // 2
    if low not in files or high not in files or len(files) % 2:
        return middle
    small, large = (math.log(len(files[i])) for i in (low, high))
    share = (math.log(limit) - small) / (large - small)
    return min(max(low + round(share * (high - low)), low + 1), high - 1)

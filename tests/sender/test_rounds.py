"""The photos of a run for receivers that join at any time."""

import asyncio
from typing import Any

import numpy as np

from progressive.codec import Photo
from sender.prepare import PreparedPhoto
from sender.rounds import Course

PIXELS: Photo = np.zeros((4, 4, 3), np.uint8)


class Slow:
    """Photos that are encoded when they are allowed to be."""

    def __init__(self, *names: str) -> None:
        self.may_encode = asyncio.Semaphore(0)
        self._names = list(names)

    @property
    def are_left(self) -> bool:
        return bool(self._names)

    async def next(self) -> PreparedPhoto | None:
        if not self._names:
            return None
        name = self._names.pop(0)
        await self.may_encode.acquire()
        packed: Any = None
        return PreparedPhoto(name, PIXELS, PIXELS, packed, "")


async def test_the_first_photo_is_sent_before_the_second_is_encoded_and_says_that_one_follows() -> None:
    photos = Slow("a", "b")
    course = Course(photos)  # type: ignore[arg-type]
    photos.may_encode.release()
    early, late = course.offers(), course.offers()
    first = await anext(early)
    assert (first.prepared.name, first.more) == ("a", True)
    second = asyncio.ensure_future(anext(early))
    await asyncio.sleep(0)
    second.cancel()  # who leaves while a photo is encoded takes it from nobody
    await asyncio.gather(second, return_exceptions=True)
    photos.may_encode.release()
    assert [(offer.prepared.name, offer.more) async for offer in late] == [("a", True), ("b", False)]

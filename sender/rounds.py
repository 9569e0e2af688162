"""The photos of a run for receivers that come at any time: each goes through all of them at its own pace."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from sender.photos import Photos
from sender.prepare import PreparedPhoto


class Course:
    """Photos by number, each read and encoded once, when it is first asked for; their pixels are not kept."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._ready: list[PreparedPhoto] = []
        self._over = False
        self._turn = asyncio.Lock()

    async def photo(self, number: int) -> PreparedPhoto | None:
        """Photo `number`, from 0; None if there are not so many that can be read."""
        async with self._turn:
            while len(self._ready) <= number and not self._over:
                prepared = await self._photos.next()
                if prepared is None:
                    self._over = True
                else:
                    nothing = prepared.photo[:0].copy()
                    self._ready.append(replace(prepared, original=nothing, photo=nothing))
        return self._ready[number] if number < len(self._ready) else None

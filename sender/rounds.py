"""The photos of a run for receivers that come at any time: each goes through all of them at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from sender.offers import Offer
from sender.photos import Photos
from sender.prepare import PreparedPhoto


class Course:
    """Photos, each read and encoded once, while the one before is sent; their pixels are not kept."""

    def __init__(self, photos: Photos) -> None:
        self._photos = photos
        self._ready: list[PreparedPhoto] = []
        self._over = False
        self._coding: asyncio.Task[None] | None = None

    async def first(self) -> PreparedPhoto | None:
        return await self._photo(0)

    async def offers(self) -> AsyncGenerator[Offer]:
        number = 0
        while (prepared := await self._photo(number)) is not None:
            number += 1
            if len(self._ready) == number and self._photos.are_left:
                self._code()
            yield Offer(prepared, more=len(self._ready) > number or self._is_coding)

    async def wait_failed(self) -> None:
        await asyncio.Event().wait()

    def in_words(self) -> str:
        return ""

    def close(self) -> None:
        if self._coding is not None:
            self._coding.cancel()

    def check(self) -> None:
        self._photos.check()

    async def _photo(self, number: int) -> PreparedPhoto | None:
        """Photo `number`, from 0; None if there are not so many that can be read."""
        while len(self._ready) <= number and not self._over:
            await asyncio.shield(self._code())  # others may wait for it, too
        return self._ready[number] if number < len(self._ready) else None

    def _code(self) -> asyncio.Task[None]:
        """The one photo that is being encoded."""
        if self._coding is None or not self._is_coding:
            self._coding = asyncio.create_task(self._code_next())
        return self._coding

    @property
    def _is_coding(self) -> bool:
        return self._coding is not None and not self._coding.done()

    async def _code_next(self) -> None:
        prepared = await self._photos.next()
        if prepared is None:
            self._over = True
        else:
            nothing = prepared.photo[:0].copy()
            self._ready.append(replace(prepared, original=nothing, photo=nothing))

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from receiver import unfinished
from receiver.unfinished import MOST_PIXELS, MOST_UNFINISHED, Unfinished


@dataclass(eq=False)
class FakeReception:
    """Is being decoded until told, or cut."""

    name: str = "photo"
    pixels: int = 100
    decoded: asyncio.Event = field(default_factory=asyncio.Event)
    is_cut: bool = False

    def cut(self) -> None:
        self.is_cut = True
        self.decoded.set()


class Run:
    def __init__(self) -> None:
        self.written: list[Any] = []
        self.said: list[str] = []
        self.unfinished = Unfinished(self.finish, self.said.append)

    async def finish(self, reception: Any) -> None:
        await reception.decoded.wait()
        self.written.append(reception)

    def add(self, *receptions: Any) -> None:
        for reception in receptions:
            self.unfinished.add(reception)


async def test_photos_that_come_faster_than_they_are_decoded_are_cut_short_the_oldest_first() -> None:
    run = Run()
    photos = [FakeReception(str(number)) for number in range(MOST_UNFINISHED + 3)]
    run.add(*photos)
    assert [photo.is_cut for photo in photos] == [True] * 3 + [False] * MOST_UNFINISHED
    assert len(run.said) == 3
    for photo in photos:
        photo.decoded.set()
    await run.unfinished.wait()
    assert set(run.written) == set(photos)


async def test_large_photos_are_fewer() -> None:
    run = Run()
    photos = [FakeReception(pixels=MOST_PIXELS // 2) for _ in range(3)]
    run.add(*photos, FakeReception(pixels=MOST_PIXELS))
    assert all(photo.is_cut for photo in photos)


async def test_asked_to_stop_only_the_newest_is_waited_for_and_that_not_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unfinished, "LAST_PICTURE_S", 0.01)
    monkeypatch.setattr(unfinished, "WRITE_S", 0.01)
    run = Run()
    photos = [FakeReception() for _ in range(4)]
    run.add(*photos)
    await run.unfinished.stop()
    assert all(photo.is_cut for photo in photos)
    assert set(run.written) == set(photos)


async def test_the_newest_is_shown_whole_if_there_is_time() -> None:
    run = Run()
    older, newest = FakeReception(), FakeReception()
    run.add(older, newest)
    newest.decoded.set()
    waiting = asyncio.create_task(run.unfinished.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (older.is_cut, newest in run.written) == (True, True)


async def test_what_finishing_raised_is_raised() -> None:
    async def fail(_reception: Any) -> None:
        raise ZeroDivisionError

    failing = Unfinished(fail, print)
    failing.add(FakeReception())  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError):
        await failing.wait()

"""`progressive.send` and `progressive.receive` as a program uses them: in a running event loop, several at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import progressive
from progressive.errors import RunError, UsageError
from progressive.photos import sample_photo

pytestmark = pytest.mark.usefixtures("thumbnails")

PHOTO = np.ascontiguousarray(sample_photo()[::4, ::4])
QUICK: dict[str, Any] = {"codec": "thumbnails", "bandwidth": "2Mbps", "deadline": "2s"}


class Receiving:
    """A receiver as a task, and where it listens."""

    def __init__(self, **options: Any) -> None:
        self.pictures: list[progressive.ReceivedPicture] = []
        self.finals: asyncio.Queue[progressive.ReceivedPicture] = asyncio.Queue()
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.lines: list[str] = []
        self.task = asyncio.create_task(self._receive(options))

    async def _receive(self, options: dict[str, Any]) -> None:
        async for picture in progressive.receive("udp://127.0.0.1:0", device="cpu", tell=self._tell, **options):
            self.pictures.append(picture)
            if picture.final:
                self.finals.put_nowait(picture)

    def _tell(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith("listening at "):
            self.url.set_result(line.removeprefix("listening at "))

    async def final(self) -> progressive.ReceivedPicture:
        async with asyncio.timeout(20):
            return await self.finals.get()


def sockets_open() -> int:
    links = (str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink())
    return sum(link.startswith("socket:") for link in links)


async def test_a_photo_comes_as_pictures_that_get_better() -> None:
    receiving = Receiving()
    sent = await progressive.send(PHOTO, await receiving.url, **QUICK | {"bandwidth": "200kbps"})
    await receiving.task
    pictures = receiving.pictures
    assert (sent.streams, sent.complete) == (1, 1)
    assert [picture.final for picture in pictures] == [False] * (len(pictures) - 1) + [True]
    assert all((picture.photo, picture.picture.shape) == (1, PHOTO.shape) for picture in pictures)
    assert 0 < pictures[0].bytes < pictures[-1].bytes <= sent.wire_bytes
    errors = [np.abs(picture.picture.astype(int) - PHOTO).mean() for picture in pictures]
    assert errors[-1] < errors[0]


async def test_several_at_once_do_not_disturb_each_other() -> None:
    receivers = [Receiving() for _ in range(3)]
    shades = (10, 100, 200)
    photos = [np.full((64, 64, 3), shade, np.uint8) for shade in shades]
    urls = [await receiver.url for receiver in receivers]
    await asyncio.gather(*(progressive.send(photo, url, **QUICK) for photo, url in zip(photos, urls, strict=True)))
    assert [(await receiver.final()).picture.mean() for receiver in receivers] == list(shades)
    await asyncio.gather(*(receiver.task for receiver in receivers))


async def test_calls_one_after_the_other_reach_a_receiver_that_serves() -> None:
    receiving = Receiving(serve=True)
    url = await receiving.url
    for number, shade in enumerate((10, 200), 1):
        await progressive.send(np.full((64, 64, 3), shade, np.uint8), url, **QUICK)
        final = await receiving.final()
        assert (final.photo, final.picture.mean()) == (number, shade)
    receiving.task.cancel()


async def test_a_sequence_is_asked_for_frame_by_frame() -> None:
    receiving = Receiving()
    asked: list[int] = []

    async def frames() -> AsyncIterator[object]:
        for shade in (10, 100, 200):
            asked.append(shade)
            yield np.full((64, 64, 3), shade, np.uint8)

    sent = await progressive.send(frames(), await receiving.url, **QUICK)
    await receiving.task
    assert asked == [10, 100, 200]
    assert sent.streams == 3
    assert [picture.picture.mean() for picture in receiving.pictures if picture.final] == [10, 100, 200]


async def test_of_frames_that_come_faster_than_they_are_sent_the_newest_is_sent() -> None:
    receiving = Receiving()

    async def camera() -> AsyncIterator[object]:
        for shade in range(0, 250, 5):
            yield np.full((64, 64, 3), shade, np.uint8)
            await asyncio.sleep(0)  # lets the others have their turn

    sent = await progressive.send(camera(), await receiving.url, newest=True, **QUICK)
    await receiving.task
    shades = [float(picture.picture.mean()) for picture in receiving.pictures if picture.final]
    assert 1 <= sent.streams < 40
    assert shades == sorted(shades)
    assert shades[-1] == 245


async def test_what_goes_wrong_in_the_callers_own_frames_reaches_the_caller() -> None:
    def broken(first: object) -> Iterator[object]:
        yield first
        raise ZeroDivisionError("camera unplugged")

    for newest in (False, True):
        receiving = Receiving(silence="0.5s")
        with pytest.raises(ZeroDivisionError, match="camera unplugged"):
            await progressive.send(broken(PHOTO), await receiving.url, newest=newest, **QUICK)
        receiving.task.cancel()
        await asyncio.gather(receiving.task, return_exceptions=True)


async def test_leaving_or_cancelling_leaves_no_task_and_no_socket() -> None:
    before, sockets = asyncio.all_tasks(), sockets_open()
    receiving = Receiving()
    url = await receiving.url
    slow = {"codec": "thumbnails", "bandwidth": "5kbps", "deadline": "60s", "full_size": True}
    sending = asyncio.create_task(progressive.send(sample_photo(), url, **slow))
    while not receiving.pictures:
        await asyncio.wait([receiving.task, sending], timeout=0.02)
    for task in (sending, receiving.task):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert asyncio.all_tasks() == before
    assert sockets_open() == sockets


async def test_leaving_the_loop_closes_the_address() -> None:
    receiving = Receiving(serve=True)
    url = await receiving.url
    receiving.task.cancel()
    await asyncio.gather(receiving.task, return_exceptions=True)
    ready = asyncio.Event()
    async with aclosing(progressive.receive(url, serve=True, device="cpu", tell=lambda _line: ready.set())) as pictures:
        first = asyncio.ensure_future(anext(pictures))
        await ready.wait()
        await progressive.send(PHOTO, url, **QUICK)
        assert (await first).photo == 1
    again = Receiving()
    host, port = url.removeprefix("udp://").split(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((host, int(port)))
    again.task.cancel()


async def test_who_is_slow_to_ask_gets_the_newest_picture_of_each_photo() -> None:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    both_done = asyncio.Event()

    def tell(line: str) -> None:
        if line.startswith("listening at "):
            url.set_result(line.removeprefix("listening at "))
        elif line.startswith("photo 2: layer"):
            both_done.set()

    async with aclosing(progressive.receive("udp://127.0.0.1:0", serve=True, device="cpu", tell=tell)) as pictures:
        first = asyncio.ensure_future(anext(pictures))
        for shade in (10, 200):
            await progressive.send(np.full((256, 256, 3), shade, np.uint8), await url, **QUICK)
        assert (await first).photo == 1
        await both_done.wait()
        assert [(await anext(pictures)).final for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    ("photo", "url", "options", "says"),
    [
        ("photo.png", "udp://127.0.0.1:9", {}, "a str cannot be taken for a photo"),
        (PHOTO, "carrier-pigeon", {}, "is not an address"),
        (PHOTO, "udp://127.0.0.1:9", {"bandwidth": "fast"}, "fast"),
        (PHOTO, "udp://127.0.0.1:9", {"serve_for": "3s"}, "--serve-for has no meaning for udp://"),
        ([PHOTO], "mqtt://", {"protection": "pet"}, "with pet there are none"),
        ([3], "udp://127.0.0.1:9", {}, "a int cannot be taken for a photo"),
    ],
)
async def test_a_wrong_call_is_refused(photo: object, url: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        await progressive.send(photo, url, **QUICK | options)


async def test_nobody_there_is_an_error_of_the_run() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        with pytest.raises(RunError, match="no receiver answered"):
            await progressive.send(PHOTO, f"udp://127.0.0.1:{mute.getsockname()[1]}", **QUICK | {"deadline": "0.2s"})
    with pytest.raises(RunError, match="no sender came"):
        async for _ in progressive.receive("udp://127.0.0.1:0", wait="0.1s", device="cpu"):
            pass

"""The broadcast example as a person runs it: real processes, a link each, one page."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from progressive.photos import sample_photo, write_png

ROOT = Path(__file__).parents[2]


class Wall:
    """What the page is told, as it comes."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.states: dict[int, str] = {}
        self.pictures: dict[int, list[dict[str, Any]]] = {}
        self._answer = answer

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                message = json.loads(await self._answer.content.readline())
                receiver = message.get("receiver")
                if message["type"] == "receiver":
                    self.states[receiver] = message["state"]
                elif message["type"] == "photo":
                    self.pictures.setdefault(receiver, []).extend(message["pictures"]["items"])


@asynccontextmanager
async def broadcast(*arguments: object) -> AsyncIterator[tuple[Wall, aiohttp.ClientSession, str]]:
    process = subprocess.Popen(  # noqa: ASYNC220, it is read to its end below
        [sys.executable, "-m", "examples.broadcast", *map(str, arguments), "--view", "127.0.0.1:0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdout is not None
    try:
        lines = iter(process.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.search(r"wall is at (http://\S+)/", line)))
        async with aiohttp.ClientSession() as http, http.get(f"{url}/api/news") as answer:
            yield Wall(answer), http, url
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143


@pytest.mark.timeout(120)
async def test_receivers_come_late_leave_and_return(tmp_path: Path) -> None:
    write_png(tmp_path / "photo.png", np.ascontiguousarray(sample_photo()[::3, ::3]))
    arguments = (
        "--receivers",
        2,
        "--channel",
        "none",
        "--channel",
        "loss:20%",
        "--late",
        "3s",
        "--bandwidth",
        "100kbps",
    )
    async with broadcast(tmp_path / "photo.png", *arguments, "--output", tmp_path / "out") as (wall, http, url):
        await wall.until(lambda: wall.states == {0: "here", 1: "away"} and bool(wall.pictures.get(0)))
        assert wall.pictures[0][0]["psnr"] > 15
        await wall.until(lambda: wall.states[1] == "here" and bool(wall.pictures.get(1)))  # from the carousel
        await wall.until(lambda: wall.states[0] == "done")
        before = len(wall.pictures[0])
        async with http.post(f"{url}/api/receivers/0/join") as answer:
            assert answer.status == 204
        await wall.until(lambda: wall.states[0] == "here" and len(wall.pictures[0]) > before)
        async with http.post(f"{url}/api/receivers/0/leave") as answer:
            assert answer.status in (204, 404)  # it may have all of the photo again by now
        await wall.until(lambda: wall.states[0] in ("away", "done"))
    assert (tmp_path / "out" / "receiver_1" / "final.png").exists()
    report = json.loads((tmp_path / "out" / "receiver_2" / "report.json").read_text())
    assert report["events"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--receivers", "0"), "--receivers"),
        (("--channel", "nonsense"), "nonsense"),
        (("--late", "soon"), "'soon' is not a time"),
        (("missing.png",), "cannot read missing.png"),
        (("--view=here",), "not an address for the viewer"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples.broadcast", *arguments, "--output", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1

"""The examples of `send` and `receive` do what they say; the notebook runs from top to bottom."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import progressive
from examples import newest_frame, numpy_over_udp
from progressive.metrics import psnr
from progressive.photos import sample_photo

EXAMPLES = Path(__file__).parents[2] / "examples"


async def test_an_array_comes_out_better_and_better(capsys: pytest.CaptureFixture[str]) -> None:
    last = await numpy_over_udp.main()
    said = capsys.readouterr().out
    qualities = [float(found) for found in re.findall(r"PSNR ([0-9.]+) dB", said)]
    assert len(qualities) > 2
    assert qualities[-1] == max(qualities) == pytest.approx(psnr(last, sample_photo("chelsea")), abs=0.01)
    assert "bytes" in said


async def test_of_a_camera_that_is_too_fast_the_newest_frames_come_in_order() -> None:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    lefts: list[int] = []

    def tell(line: str) -> None:
        if line.startswith("listening at "):
            url.set_result(line.removeprefix("listening at "))

    async def watch() -> None:
        async for shown in progressive.receive("udp://127.0.0.1:0", device="cpu", tell=tell):
            if shown.final:
                bright = np.flatnonzero(shown.picture[80].mean(1) > 130)
                lefts.append(int(bright[0]))

    watching = asyncio.create_task(watch())
    sent = await newest_frame.main(await url)
    await watching
    assert 2 <= sent.streams < newest_frame.FRAMES
    assert lefts == sorted(lefts)
    assert lefts[-1] > newest_frame.SIDE / 2


@pytest.mark.timeout(180)  # a whole codec at work, on whatever processor
async def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Cell by cell, as its kernel does; the documentation's build runs it in one."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    cells = json.loads((EXAMPLES / "poor_link.ipynb").read_text())["cells"]
    names: dict[str, Any] = {}
    for cell in cells:
        assert not cell.get("outputs"), "it is kept without what it prints"
        if cell["cell_type"] == "code":
            code = compile("".join(cell["source"]), "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            waiting = eval(code, names)
            if inspect.isawaitable(waiting):
                await waiting
    said = capsys.readouterr().out
    qualities = [float(found) for found in re.findall(r"bytes  ([0-9.]+) dB", said)]
    assert qualities == sorted(qualities)
    assert len(qualities) == 3
    assert "bytes sent, the last picture shows layer" in said
    names["plt"].close("all")

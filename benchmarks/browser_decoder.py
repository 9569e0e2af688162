"""How fast a browser decodes rmpgc: `progressive/browser/codec` in headless Chromium, on a photo of 768x512.

    python -m benchmarks.browser_decoder [PHOTO] [--size 768x512] [--repeat 3] [--bpp 1]

Without PHOTO a sample of scikit-image is resized. Processor time of the browser's processes, which a busy machine does
not change, the clock on the wall behind it; medians after a warm-up. Opening reads, lays out and proves the weights.
Enhance segments are decoded up to each quarter of a bit a pixel, one by one; beside it the rate of a link that this
keeps up with. Needs Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from aiohttp import web
from PIL import Image

from benchmarks import _data
from benchmarks._chromium import BROWSER, Page, open_page
from progressive.browser import files_of
from progressive.codecs.rmpgc.backbones.multiscale.model import WEIGHTS
from progressive.errors import UsageError
from progressive.photos import read_photo, sample_photo
from progressive.registry import load_codec
from progressive.stream import LayeredStream, Segment

BASE_FORM = 3
STEP_BPP = 0.25

PREPARE = """(async () => {
    const { openModel } = await import("/decoder.js");
    const bytes = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
    const decode = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const [wasm, weights] = [await bytes("/decoder.wasm"), await bytes("/weights")];
    globalThis.open = async () => { globalThis.model = await openModel(wasm, weights); };
    globalThis.begin = (header) => { globalThis.decoder = model.decoder(decode(header)); };
    globalThis.push = (segments) => segments.forEach(([id, payload]) => decoder.push(id, decode(payload)));
})()"""


@dataclass(frozen=True, slots=True)
class Took:
    """Milliseconds of the processor, and on the wall."""

    cpu_ms: float
    wall_ms: float


class Clock:
    """The processes of a browser that this process started."""

    def __init__(self) -> None:
        self._pids = [pid for pid in _descendants(os.getpid()) if "chrom" in _name(pid)]

    async def time(self, page: Page, expression: str) -> Took:
        cpu_ns, start = self._cpu_ns(), time.perf_counter()
        await page.evaluate(expression)
        return Took((self._cpu_ns() - cpu_ns) / 1e6, 1000 * (time.perf_counter() - start))

    def _cpu_ns(self) -> int:
        total = 0
        for pid in self._pids:
            for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                with suppress(OSError):
                    total += int(task.read_text().split()[0])
        return total


def _descendants(of: int) -> Iterator[int]:
    for children in Path(f"/proc/{of}/task").glob("*/children"):
        for pid in map(int, children.read_text().split()):
            yield pid
            yield from _descendants(pid)


def _name(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def steps_of(stream: LayeredStream) -> list[tuple[str, list[Segment]]]:
    """The base, then what comes up to each quarter of a bit a pixel; with its name."""
    pixels, size = stream.header.width * stream.header.height, len(stream.header.to_bytes())
    base = [s for s in stream.segments if s.payload[0] >> 6 == BASE_FORM]
    steps = [("base", base)]
    size += sum(len(s.payload) for s in base)
    upper = STEP_BPP
    step: list[Segment] = []
    for segment in (s for s in stream.segments if s not in base):
        size += len(segment.payload)
        if 8 * size / pixels > upper:
            steps.append((f"enhance up to {upper:g} bpp", step))
            step, upper = [], upper + STEP_BPP
        step.append(segment)
    return [*steps, (f"enhance up to {8 * size / pixels:.2f} bpp", step)]


async def measured(stream: LayeredStream, repeat: int) -> list[dict[str, Took]]:
    """What each step took, a run each."""

    async def send(request: web.Request) -> web.Response:
        if request.path == "/":
            return web.Response(text="<!doctype html><link rel=icon href=data:,>", content_type="text/html")
        if request.path == "/weights":
            return web.Response(body=WEIGHTS.read_bytes())
        file = files_of("progressive.browser", "codec")[request.path[1:]]
        return web.Response(body=file.content, content_type=file.type)

    app = web.Application()
    app.router.add_get("/{path:.*}", send)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with open_page(f"http://127.0.0.1:{runner.addresses[0][1]}/") as page:
            await page.evaluate(PREPARE)
            clock = Clock()
            runs = [await _run(page, clock, stream) for _ in range(1 + repeat)]
            print(f"memory of the decoder: {await page.evaluate('decoder.memory') / 2**20:.0f} MiB")
    finally:
        await runner.cleanup()
    return runs[1:]


async def _run(page: Page, clock: Clock, stream: LayeredStream) -> dict[str, Took]:
    found = {"opening": await clock.time(page, "open()")}
    await page.evaluate(f"begin({json.dumps(base64.b64encode(stream.header.to_bytes()).decode())})")
    for name, segments in steps_of(stream):
        parts = [[s.id, base64.b64encode(s.payload).decode()] for s in segments]
        found[name] = await clock.time(page, f"push({json.dumps(parts)})")
        if name == "base":
            found["linear picture"] = await clock.time(page, "decoder.linearPicture() && 0")
    found["picture with the network"] = await clock.time(page, "decoder.picture() && 0")
    return found


def table(stream: LayeredStream, runs: Sequence[dict[str, Took]]) -> Iterator[str]:
    """What was measured, as a Markdown table."""
    sizes = {name: sum(len(s.payload) for s in segments) for name, segments in steps_of(stream)}
    yield "| what | bytes | processor, ms | wall, ms | keeps up with |"
    yield "|-|-|-|-|-|"
    for name in runs[0]:
        cpu_ms, wall_ms = (float(np.median([getattr(run[name], kind) for run in runs])) for kind in Took.__slots__)
        size = sizes.get(name)
        pace = f"{8 * size / cpu_ms:.0f} kbit/s" if size else ""
        yield f"| {name} | {size or ''} | {cpu_ms:.0f} | {wall_ms:.0f} | {pace} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path)
    parser.add_argument("--size", default="768x512", help="pixels that the photo is resized to")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--bpp", type=float, default=1.0)
    given = parser.parse_args()
    if BROWSER is None:
        raise UsageError("there is no Chromium here: apt-get install chromium")
    width, height = map(int, given.size.split("x"))
    whole = sample_photo() if given.photo is None else read_photo(given.photo)
    photo = np.asarray(Image.fromarray(whole).resize((width, height), Image.Resampling.LANCZOS))
    stream = load_codec("rmpgc").encode(photo)
    kept, size = [], len(stream.header.to_bytes())
    for segment in stream.segments:
        size += len(segment.payload)
        if size <= given.bpp * width * height / 8:
            kept.append(segment)
    stream = stream.keep(kept)
    print("\n".join(table(stream, asyncio.run(measured(stream, given.repeat)))))


if __name__ == "__main__":
    _data.run(main)

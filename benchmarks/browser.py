"""A browser that receives photos over WebRTC: how soon after its base each has a picture, and how long pictures take.

    python -m benchmarks.browser [PHOTO] [--joins 1] [--bandwidth 30kbps] [--loss 5%] [--screenshots DIR]

The sender serves in this process, headless Chromium receives; packets are dropped as they are sent, by a seeded chance.
The photo is sent twice: while it comes first, the browser gets and prepares its decoder, which is ready the next time.
It is a sample, resized to 768x512, unless one is named. With --screenshots the page is kept as `desktop.png` (1280
pixels wide, while a photo comes), `dark.png` and `phone.png` (390 pixels, at the end).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import tempfile
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._chromium import Page, open_page
from progressive.photos import read_photo, sample_photo, write_png
from progressive.registry import DEFAULT_CODEC
from progressive.shell.display import Display
from progressive.transport.webrtc.peer import PeerTransport
from progressive.units import parse_bandwidth, parse_percent
from sender.options import SenderOptions
from sender.serving import serve_photos
from sender.settings import SenderSettings

WATCH = """(async () => {
    const { journal } = await import("/page/main.js");
    const times = globalThis.times = { photos: {}, pictures: [] };
    const { observe, addPicture } = journal;
    journal.observe = (event) => {
        const photo = observe.call(journal, event);
        if (photo?.blocks[0]?.[4]) (times.photos[photo.number] ??= {}).base ??= performance.now();
        return photo;
    };
    journal.addPicture = (photo, file, made) => {
        addPicture.call(journal, photo, file, made);
        times.pictures.push([photo.number, made.network, made.ms]);
    };
    globalThis.isOver = () => journal.latest && [...journal.photos.values()].every(({ state }) => state === "done");
    const figure = document.querySelector("#stage figure");
    new MutationObserver(() => {
        const photo = times.photos[journal.latest.number];
        if (photo && figure.dataset.number) photo.shown ??= performance.now();
    }).observe(figure, { attributes: true, attributeFilter: ["data-number"] });
})()"""

OVER = "isOver() && document.querySelector('#toggle').textContent !== 'Leave'"

MIDDLE = "isOver() || times.pictures.filter(([photo]) => photo === 2).length >= 3"
"""When the page is looked at while a photo comes."""


class Serving(Display):
    """Says where the sender serves."""

    def __init__(self) -> None:
        self.url: Future[str] = Future()

    def note(self, text: str) -> None:
        if found := re.search(r"for browsers at (\S+)", text):
            self.url.set_result(found[1])


def lose(share: float, seed: int) -> None:
    """Has packets of photos lost by chance from now on."""
    chance, send = random.Random(seed), PeerTransport.send

    async def send_some(self: PeerTransport, data: bytes) -> None:
        if data[0] & 0x0F or chance.random() >= share:
            await send(self, data)

    PeerTransport.send = send_some  # type: ignore[method-assign]


async def receive(url: str, screenshots: Path | None) -> dict[str, Any]:
    """What a browser that joins there notes of the times."""
    async with open_page(url) as page:
        await page.evaluate(WATCH)
        if screenshots is not None:
            await page.wait_for(MIDDLE, 90)
            await page.screenshot(screenshots / "desktop.png")
        await page.wait_for(OVER, 90)
        times: dict[str, Any] = await page.evaluate("times")
        if screenshots is not None:
            await _keep_the_others(page, screenshots)
        return times


async def _keep_the_others(page: Page, folder: Path) -> None:
    await page.prefer(prefers_color_scheme="dark")
    await page.screenshot(folder / "dark.png")
    await page.prefer(prefers_color_scheme="light")
    await page.resize(390, 844, scale=2, mobile=True)
    await page.wait_for("innerWidth === 390")
    await page.screenshot(folder / "phone.png")


async def run(photos: Path, joins: int, bandwidth_bps: float, screenshots: Path | None) -> None:
    display = Serving()
    settings = SenderSettings(bandwidth_bps, deadline_s=15.0)
    options = SenderOptions(str(photos), DEFAULT_CODEC, settings, to=("webrtc://127.0.0.1:0",))
    sender = asyncio.create_task(serve_photos(options, display))
    try:
        url = await asyncio.wrap_future(display.url)
        found = [await receive(url, screenshots if not join else None) for join in range(joins)]
    finally:
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
    for number, words in (("1", "while the decoder is prepared"), ("2", "with the decoder ready")):
        delays = [times["photos"][number]["shown"] - times["photos"][number]["base"] for times in found]
        print(f"from the base's last packet to its picture on the page, {words}, ms:", _in_words(delays))
    for network, words in ((False, "linear pictures"), (True, "pictures of the synthesis network")):
        took = [ms for times in found for _, of, ms in times["pictures"] if of is network]
        print(f"{words} take in the worker, ms:", _in_words(took))


def _in_words(values: Any) -> str:
    values = sorted(values)
    return f"median {statistics.median(values):.0f}, most {values[-1]:.0f}, of {len(values)}" if values else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", nargs="?", type=Path)
    parser.add_argument("--joins", type=int, default=1)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=30e3)
    parser.add_argument("--loss", type=parse_percent, default=0.05)
    parser.add_argument("--screenshots", type=Path)
    arguments = parser.parse_args()
    lose(arguments.loss, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.photo is None:
            photo = np.asarray(Image.fromarray(sample_photo("rocket")).resize((768, 512)))
        else:
            photo = read_photo(arguments.photo)
        for number in (1, 2):
            write_png(Path(folder) / f"{number}.png", photo)
        asyncio.run(run(Path(folder), arguments.joins, arguments.bandwidth, arguments.screenshots))


if __name__ == "__main__":
    main()

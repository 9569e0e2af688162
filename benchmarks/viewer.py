"""Pictures of the receiver's page for the documentation, while a photo comes and once it is there.

    python -m benchmarks.viewer FOLDER [--photo FILE] [--bandwidth 40kbps] [--channel ep4] [--seed 4]

A sender, a link and a receiver run in this process in real time; headless Chromium looks at the page. `desktop.png` is
taken while the photo comes, `dark.png` and `phone.png` (390 pixels wide) at the end. Without --photo a sample is sent.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from contextlib import chdir
from pathlib import Path

from benchmarks._chromium import open_page
from loopback.local import stream_locally
from progressive.photos import read_photo, sample_photo, write_png
from progressive.registry import DEFAULT_CODEC
from progressive.units import parse_bandwidth
from receiver.viewer.address import ViewAddress
from receiver.viewer.gallery import Gallery
from receiver.viewer.viewer import Viewer, ViewerDisplay
from sender.options import SenderOptions
from sender.settings import SenderSettings

WIDTH, HEIGHT = 1280, 980
DEADLINE_S = 10.0
MOMENT_S = 6.0
"""When the page is looked at while the photo comes, from the first packet on."""

STATUS = "document.querySelector('#status').textContent"


async def take(photo: Path, folder: Path, options: SenderOptions) -> None:
    with Viewer(Gallery("progressive"), ViewAddress("127.0.0.1", 0)) as viewer:
        async with open_page(viewer.address.url, width=WIDTH, height=HEIGHT) as page:
            display = ViewerDisplay(viewer.gallery, photo.name)
            run = asyncio.create_task(asyncio.to_thread(stream_locally, options, display))
            await page.wait_for(f"{STATUS} === 'Receiving'", 60)
            await asyncio.sleep(MOMENT_S)
            await page.screenshot(folder / "desktop.png")
            await run
            await page.wait_for(f"['Complete', 'Ended'].includes({STATUS})", 60)
            await page.prefer(prefers_color_scheme="dark")
            await page.screenshot(folder / "dark.png")
            await page.prefer(prefers_color_scheme="light")
            await page.resize(390, 844, mobile=True)
            await page.wait_for("innerWidth === 390")
            await page.screenshot(folder / "phone.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photo", type=Path)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=40e3)
    parser.add_argument("--channel", default="ep4")
    parser.add_argument("--seed", type=int, default=4)
    arguments = parser.parse_args()
    original = sample_photo("coffee") if arguments.photo is None else read_photo(arguments.photo)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, chdir(temporary):  # the page shows the photo's path
        photo = Path("photo.png" if arguments.photo else "coffee.png")
        write_png(photo, original)
        settings = SenderSettings(arguments.bandwidth, deadline_s=DEADLINE_S)
        options = SenderOptions(
            str(photo),
            DEFAULT_CODEC,
            settings,
            channel=arguments.channel,
            seed=arguments.seed,
            output=Path("out"),
        )
        asyncio.run(take(photo, folder, options))


if __name__ == "__main__":
    main()

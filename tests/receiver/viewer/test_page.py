"""The page in a real browser, while a photo comes over a lossy link."""

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from chromium import needs_chromium, open_page
from observations import shown

from loopback.local import stream_locally
from progressive.photos import sample_photo, write_png
from progressive.shell.display import Displays, QuietDisplay
from progressive.stream import StreamHeader
from receiver.events import EndReason, PacketReceived, StreamEnded, StreamStarted
from receiver.reception import PhotoFinished, PhotoStarted, PictureShown
from receiver.viewer.address import ViewAddress
from receiver.viewer.gallery import Exhibit, Gallery
from receiver.viewer.viewer import Viewer, ViewerDisplay
from sender.options import SenderOptions
from sender.settings import SenderSettings

pytestmark = pytest.mark.timeout(120)  # a browser starts slowly on a busy machine

NUMBER = "document.querySelector('#stage figure').dataset.number"
STATUS = "document.querySelector('#status').textContent"


class Shown(QuietDisplay):
    """When each picture was there, and how far the decoder was; whether all came in the end."""

    def __init__(self):
        self.pictures = []
        self.complete = False

    def observe(self, event):
        if isinstance(event, PictureShown):
            self.pictures.append((time.time(), event.status.base_complete))
        elif isinstance(event, StreamEnded):
            self.complete = event.reason == "complete"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "astronaut.png"
    write_png(path, np.ascontiguousarray(sample_photo()[:, ::2]))
    return path


class Run:
    """A photo over a link that loses a quarter, in a thread."""

    def __init__(self, photo, tmp_path, viewer, looks=("faithful",)):
        self.out, self.shown = tmp_path / "out", Shown()
        settings = SenderSettings(60e3, packet_size=400, deadline_s=4.0, protection="equal", redundancy=0.5)
        options = SenderOptions(
            str(photo), "thumbnails", settings, channel="ge:loss=25%,burst=2", seed=2, output=self.out, looks=looks
        )
        displays = Displays([self.shown, ViewerDisplay(viewer.gallery, "receiver")])
        self.thread = threading.Thread(target=stream_locally, args=(options, displays))

    def report(self):
        self.thread.join(timeout=30)
        return json.loads((self.out / "report.json").read_text())


@asynccontextmanager
async def page_of(viewer: Viewer, **size: int) -> AsyncIterator:
    async with open_page(viewer.address.url, **size) as page:
        yield page
        assert page.errors == []


async def figures_of(page):
    texts = await page.evaluate(
        "Object.fromEntries([...document.querySelectorAll('[data-figure]')]"
        ".map(entry => [entry.dataset.figure, entry.children[1].textContent]))"
    )
    return {name: int(texts[name]) for name in ("received", "lost", "recovered")}


@needs_chromium
@pytest.mark.usefixtures("thumbnails")
async def test_the_page_shows_a_photo_as_it_comes_over_a_lossy_link(photo, tmp_path):
    with Viewer(Gallery("progressive"), ViewAddress("127.0.0.1", 0)) as viewer:
        run = Run(photo, tmp_path, viewer)
        async with page_of(viewer) as page:
            await page.evaluate(
                "seen = []; new MutationObserver(() => seen.push([Date.now() / 1000, "
                f"{NUMBER}])).observe(document.querySelector('#stage figure'), {{attributes: true}})"
            )
            run.thread.start()
            await page.wait_for("seen.some(([, number]) => number !== '')", 20)
            report = await asyncio.to_thread(run.report)
            last = len(report["events"]) - 1
            assert last >= 3
            await page.wait_for(f"{NUMBER} === '{last}'")
            seen = [(time_s, int(number)) for time_s, number in await page.evaluate("seen") if number]
            base_s = next(time_s for time_s, base_complete in run.shown.pictures if base_complete)
            assert min(time_s for time_s, _ in seen) < base_s + 1
            assert await page.evaluate("Number(document.querySelector('#slider').max)") == last
            assert report["packets"]["lost"] > 0 < report["packets"]["recovered"]
            assert await figures_of(page) == report["packets"]
            await page.wait_for(f"{STATUS} === '{'Complete' if run.shown.complete else 'Ended'}'")
            for number in range(last + 1):
                await page.evaluate(
                    f"slider = document.querySelector('#slider'); slider.value = {number};"
                    "slider.dispatchEvent(new Event('input'))"
                )
                await page.wait_for(f"{NUMBER} === '{number}'")
                caption = await page.evaluate("document.querySelector('#caption').textContent")
                assert f"{report['events'][number]['psnr']:.2f} dB" in caption
            shape = await page.evaluate(
                "image = document.querySelector('.layer.front'), [image.naturalWidth, image.naturalHeight]"
            )
            assert shape == [256, 512]


@needs_chromium
@pytest.mark.usefixtures("thumbnails_with_looks")
async def test_the_page_switches_the_look_of_every_picture_also_when_all_is_over(photo, tmp_path):
    def brightness(look):
        canvas = "c = document.createElement('canvas'), c.width = c.height = 1, x = c.getContext('2d'),"
        canvas += "x.drawImage(document.querySelector('.layer.front'), 0, 0, 1, 1), x.getImageData(0, 0, 1, 1).data[0]"
        return f"document.querySelector('#stage figure').dataset.look === '{look}' && ({canvas})"

    with Viewer(Gallery("progressive"), ViewAddress("127.0.0.1", 0)) as viewer:
        run = Run(photo, tmp_path, viewer, looks=("faithful", "natural"))
        async with page_of(viewer) as page:
            run.thread.start()
            last = len((await asyncio.to_thread(run.report))["events"]) - 1
            for number in (last, 1):
                await page.evaluate(
                    f"slider = document.querySelector('#slider'); slider.value = {number};"
                    "slider.dispatchEvent(new Event('input'))"
                )
                seen = {}
                for look, words in (("", "faithful"), ("natural", "natural")):
                    await page.wait_for(
                        f"{NUMBER} === '{number}' && document.querySelector('#stage figure').dataset.look === '{look}'"
                    )
                    assert await page.evaluate("document.querySelector('#look').textContent") == f"Look: {words}"
                    seen[look] = await page.evaluate(brightness(look))
                    await page.evaluate("document.querySelector('#look').click()")
                assert abs(seen[""] + seen["natural"] - 255) < 20
                assert (run.out / f"refinement_{number:02d}_natural.png").is_file()


@needs_chromium
@pytest.mark.usefixtures("thumbnails")
async def test_the_page_serves_the_keyboard_a_phone_and_people_who_want_no_motion(photo, tmp_path):
    with Viewer(Gallery("progressive"), ViewAddress("127.0.0.1", 0, "secret")) as viewer:
        run = Run(photo, tmp_path, viewer)
        async with page_of(viewer) as page:
            run.thread.start()
            last = len((await asyncio.to_thread(run.report))["events"]) - 1
            await page.wait_for(f"{NUMBER} === '{last}'")
            reached = []
            for _ in range(6):
                await page.press("Tab")
                reached.append(await page.evaluate("document.activeElement.id || document.activeElement.className"))
            assert reached[0] == "skip"
            assert {"slider", "live", "download"} <= set(reached)
            await page.evaluate("document.querySelector('#slider').focus()")
            await page.press("ArrowLeft")
            await page.wait_for(f"{NUMBER} === '{last - 1}'")
            assert await page.evaluate("document.querySelector('#live').getAttribute('aria-pressed')") == "false"
            await page.evaluate("document.querySelector('#live').focus()")
            await page.press("Enter")
            await page.wait_for(f"{NUMBER} === '{last}'")
            unnamed = "[...document.querySelectorAll('button, a, input, [role=img], section')].filter(element =>"
            unnamed += " !(element.textContent.trim() || element.ariaLabel || element.getAttribute('aria-labelledby')))"
            assert await page.evaluate(f"{unnamed}.map(element => element.outerHTML)") == []
            await page.prefer(prefers_reduced_motion="reduce")
            await page.press("ArrowLeft")
            assert await page.evaluate("document.getAnimations().length") == 0
            await page.resize(390, 844, scale=2, mobile=True)
            await page.wait_for("innerWidth === 390")
            assert await page.evaluate("document.documentElement.scrollWidth") <= 390
            await page.evaluate("document.querySelector('#figures dd').textContent = 'about 31 dB'")
            figures = "[...document.querySelectorAll('#figures dd')]"
            assert await page.evaluate(f"Math.max(...{figures}.map(own => own.scrollWidth - own.clientWidth))") == 0
            small = "[...document.querySelectorAll('#stage button:not([hidden]), #stage .button')]"
            assert await page.evaluate(f"Math.min(...{small}.map(button => button.offsetHeight))") >= 40


@needs_chromium
async def test_a_wall_shows_all_receivers_and_asks_one_to_leave():
    asked = threading.Event()
    gallery = Gallery("wall")
    gallery.add(Exhibit("near", detail="20 dB"))
    gallery.add(Exhibit("far", detail="5 dB", actions={"leave": asked.set}))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            await page.wait_for("document.querySelectorAll('.tile').length === 2")
            await page.evaluate("document.querySelector('[data-receiver=\"1\"] .actions button').click()")
            assert await asyncio.to_thread(asked.wait, 10)
            gallery.change(1, state="away", actions={"return": lambda: None})
            await page.wait_for("document.querySelector('[data-receiver=\"1\"]').dataset.state === 'away'")
            label = "document.querySelector('.actions button').getAttribute('aria-label')"
            await page.wait_for(f"{label} === 'Return: far'")
            await page.evaluate("document.querySelector('[data-receiver=\"0\"] .open').click()")
            await page.wait_for("document.querySelector('#where').textContent.includes('near')")
            await page.press("Escape")
            await page.wait_for("!document.querySelector('#wall').hidden")


def begin(gallery: Gallery, receiver: int, *, stream: int = 1) -> None:
    gallery.observe(receiver, PacketReceived(stream, 0.0, 0, "source", ((0, 2),), 0, 400, False, 1, 1))


def end(gallery: Gallery, receiver: int, reason: EndReason) -> None:
    gallery.observe(receiver, StreamEnded(1, reason, more=False))


@needs_chromium
@pytest.mark.parametrize(
    ("reason", "says"),
    [("complete", "Complete"), ("ended", "Ended"), ("silence", "The sender fell silent")],
)
async def test_a_photo_is_called_complete_only_if_all_of_it_came(reason, says):
    gallery = Gallery("progressive")
    gallery.add(Exhibit("receiver"))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            await page.wait_for(f"{STATUS} === 'Waiting for a sender'")
            begin(gallery, 0)
            await page.wait_for(f"{STATUS} === 'Receiving'")
            end(gallery, 0, reason)
            await page.wait_for(f"{STATUS} !== 'Receiving'")
            assert await page.evaluate(STATUS) == says


@needs_chromium
async def test_a_photo_is_called_complete_once_its_last_picture_is_shown():
    gallery = Gallery("progressive")
    gallery.add(Exhibit("receiver"))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            begin(gallery, 0)
            gallery.observe(0, PhotoStarted("photo 1"))
            end(gallery, 0, "complete")
            await page.wait_for(f"{STATUS} === 'Received, decoding'")
            gallery.observe(0, PhotoFinished("photo 1", 1, 0, 0, 400))
            await page.wait_for(f"{STATUS} === 'Complete'")


@needs_chromium
async def test_a_picture_stays_until_the_next_frame_of_its_size_has_one(tmp_path):
    gallery, sides = Gallery("progressive"), (64, 64, 32)
    gallery.add(Exhibit("receiver"))
    name = "document.querySelector('#name').textContent"
    layers = "document.querySelectorAll('.layer.shown').length"
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            for number, side in enumerate(sides, 1):
                begin(gallery, 0, stream=number)
                await page.wait_for(f"{name} === 'photo {number}'")
                assert await page.evaluate(f"{layers} > 0") == (number > 1)
                header = StreamHeader(200, bytes(8), side, side, 9)
                gallery.observe(0, StreamStarted(number, header, 0.0, None))
                await page.wait_for(f"document.querySelector('#caption').textContent.startsWith('{side}×{side}')")
                assert await page.evaluate(f"{layers} > 0") == (number == 2)
                path = tmp_path / f"{number}.png"
                write_png(path, np.full((side, side, 3), 60 * number, np.uint8))
                gallery.observe(0, PhotoStarted(f"photo {number}"))
                gallery.observe(0, replace(shown(f"photo {number}", 0), path=path))
                await page.wait_for(f"{NUMBER} === '0'")
                gallery.observe(0, StreamEnded(number, "complete", more=True))


@needs_chromium
async def test_a_wall_says_of_how_many_receivers_all_is_there():
    gallery = Gallery("wall")
    for name in ("near", "far", "to come"):
        gallery.add(Exhibit(name, state="away" if name == "to come" else "here"))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            await page.wait_for("document.querySelectorAll('.tile').length === 3")
            begin(gallery, 0)
            begin(gallery, 1)
            await page.wait_for(f"{STATUS} === 'Receiving'")
            end(gallery, 0, "complete")
            gallery.change(1, state="away")
            await page.wait_for(f"{STATUS} === '1 of 3 complete'")
            await page.evaluate("document.querySelector('[data-receiver=\"1\"] .open').click()")
            await page.wait_for(f"{STATUS} === 'Ended'")
            for receiver in (1, 2):
                gallery.change(receiver, state="here")
                begin(gallery, receiver)
                end(gallery, receiver, "complete")
            await page.press("Escape")
            await page.wait_for(f"{STATUS} === 'Complete'")


@needs_chromium
async def test_a_wall_shows_the_whole_of_a_long_detail():
    gallery = Gallery("wall")
    link = "rayleigh:snr=9dB,doppler=5Hz+modem:qpsk-1/2,bandwidth=1MHz+delay:20ms, " * 3
    gallery.add(Exhibit("near", detail=link))
    gallery.add(Exhibit("far", detail=link))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer, width=390) as page:
            await page.wait_for("document.querySelectorAll('.tile').length === 2")
            hidden = (
                "(element) => [element.scrollWidth - element.clientWidth, element.scrollHeight - element.clientHeight]"
            )
            assert await page.evaluate(f"[...document.querySelectorAll('.detail')].flatMap({hidden})") == [0, 0, 0, 0]


@needs_chromium
async def test_a_wall_of_six_receivers_fits_a_window():
    gallery = Gallery("wall")
    for receiver in range(6):
        gallery.add(
            Exhibit(f"Receiver {receiver + 1}", detail="ep4: heavy losses, short bursts", actions={"leave": print})
        )
        for block in range(5):
            gallery.observe(receiver, PacketReceived(1, 0.0, block, "source", ((block, 2),), 0, 400, False, 1, 1))
    with Viewer(gallery, ViewAddress("127.0.0.1", 0)) as viewer:
        async with page_of(viewer) as page:
            await page.resize(1280, 1000)
            await page.wait_for("document.querySelectorAll('.tile .bar').length === 24")
            assert await page.evaluate("document.documentElement.scrollHeight") <= 1000
            frames = "[...document.querySelectorAll('.tile .frame')].map(frame => frame.offsetHeight)"
            assert await page.evaluate(f"Math.min(...{frames})") >= 200


def colours(scheme):
    style = files("progressive.browser").joinpath("view/style.css").read_text()
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found | (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else {})


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_and_marks_stand_out_from_what_is_behind_them(scheme):
    """WCAG 2.1: 4.5 to 1 for words, 3 to 1 for marks that say something."""
    of = colours(scheme)

    def contrast(one, other):
        high, low = sorted((luminance(of[one]), luminance(of[other])), reverse=True)
        return (high + 0.05) / (low + 0.05)

    for words, behind in (
        ("ink", "card"),
        ("ink", "page"),
        ("soft", "card"),
        ("soft", "page"),
        ("accent-ink", "accent"),
    ):
        assert contrast(words, behind) >= 4.5, (words, behind)
    for words in ("lost", "recovered"):
        assert contrast(words, "card") >= 3.9, words
    for mark in ("source", "late", "lost", "recovered"):
        assert contrast(mark, "card") >= 3, mark


@needs_chromium
async def test_a_finished_run_stays_finished_when_its_process_is_gone() -> None:
    viewer = Viewer(Gallery("progressive"), ViewAddress("127.0.0.1", 0))
    with ExitStack() as viewing:
        viewing.enter_context(viewer)
        async with open_page(viewer.address.url) as page:
            await page.wait_for("document.title === 'progressive'", 20)
            await page.evaluate("tries = 0, ask = fetch, fetch = (...words) => { tries++; return ask(...words); }, 0")
            await asyncio.to_thread(viewing.close)
            await page.wait_for("tries >= 2", 20)  # the first was refused, which was told of
            assert await page.evaluate(STATUS) == "Finished"

"""A browser as a receiver of the default codec: what it shows at the end of photos over a bad link."""

import asyncio
import base64
import io
import random
import re
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
from chromium import Page, needs_chromium, open_page
from numpy.typing import NDArray
from PIL import Image

from progressive.metrics import psnr
from progressive.photos import sample_photo, write_png
from progressive.registry import codec_name, load_codec
from progressive.shell.display import QuietDisplay
from progressive.transport.webrtc.peer import PeerTransport
from receiver.events import SegmentReceived, StreamStarted
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.options import SenderOptions
from sender.serving import serve_photos
from sender.settings import SenderSettings

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

STATUS = "document.querySelector('#status').textContent"


class Served(QuietDisplay):
    """Tells where a sender serves."""

    def __init__(self) -> None:
        self.url: Future[str] = Future()

    def note(self, text: str) -> None:
        if found := re.search(r"for browsers at (\S+)", text):
            self.url.set_result(found[1])


@pytest.fixture
def bad_link(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Packets of photos are lost and damaged; what got through, in the order of sending."""
    chance, send, through = random.Random(4), PeerTransport.send, list[bytes]()

    async def send_badly(self: PeerTransport, data: bytes) -> None:
        fate = 1.0 if data[0] & 0x0F else chance.random()
        if fate < 0.1:
            return
        if fate < 0.2:
            place = chance.randrange(1, len(data))
            data = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
        through.append(data)
        await send(self, data)

    monkeypatch.setattr(PeerTransport, "send", send_badly)
    return through


def pictures_of(datagrams: list[bytes]) -> list[NDArray[np.uint8]]:
    """The last picture of each stream, as the receiver has it after these datagrams."""
    session = ReceiverSession(ReceiverSettings(), now=0.0)
    decoders = []
    for number, datagram in enumerate(datagrams):
        session.receive_datagram(datagram, number / 1000)
        while (event := session.next_event()) is not None:
            if isinstance(event, StreamStarted):
                decoders.append(load_codec(codec_name(event.header.codec)).decoder(event.header))
            elif isinstance(event, SegmentReceived):
                decoders[-1].push(event.segment_id, event.payload)
    return [decoder.picture() for decoder in decoders]


async def last_picture(page: Page, photo: int) -> NDArray[np.uint8]:
    """The last picture that the page has of a photo, [H, W, 3]."""
    text = await page.evaluate(
        f"""(async () => {{
            const {{ journal }} = await import("/page/main.js");
            const file = await journal.picture(0, {photo}, journal.photos.get({photo}).pictures.at(-1).number);
            return new Promise((resolve) => {{
                const reader = new FileReader();
                reader.onload = () => resolve(reader.result.split(",")[1]);
                reader.readAsDataURL(file);
            }});
        }})()"""
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB"))


async def test_a_browser_shows_the_pictures_that_the_receiver_has_of_the_same_packets(
    tmp_path: Path, bad_link: list[bytes]
) -> None:
    photo = sample_photo()
    for name, part in (("1", photo[100:293, 150:407]), ("2", photo[:128, :190])):
        write_png(tmp_path / f"{name}.png", np.ascontiguousarray(part))
    display = Served()
    settings = SenderSettings(bandwidth_bps=150e3, packet_size=500, deadline_s=4.0)
    sender = asyncio.create_task(
        serve_photos(SenderOptions(str(tmp_path), "rmpgc", settings, to=("webrtc://127.0.0.1:0",)), display)
    )
    url = await asyncio.wrap_future(display.url)
    async with open_page(url) as page:
        done = "import('/page/main.js').then(({ journal }) => [...journal.photos.values()].map((photo) => photo.state))"
        await page.wait_for(f"{done}.then((states) => states.join() === 'done,done')", 60)
        shown = [await last_picture(page, number) for number in (1, 2)]
        assert await page.evaluate(STATUS) in {"Complete", "Ended"}
        assert await page.evaluate("document.querySelector('#notice').hidden")
        assert int(await page.evaluate("document.querySelector('[data-figure=lost]').children[1].textContent")) > 0
        assert page.errors == []
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    expected = pictures_of(bad_link)
    assert (
        [picture.shape for picture in shown]
        == [picture.shape for picture in expected]
        == [(193, 257, 3), (128, 190, 3)]
    )
    for picture, own in zip(shown, expected, strict=True):
        assert psnr(picture, own) > 45

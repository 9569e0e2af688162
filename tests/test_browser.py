"""A browser as a receiver of the default codec: what it shows at the end of photos over a bad link."""

import asyncio
import base64
import io
import random
import re
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from chromium import Page, needs_chromium, open_page
from numpy.typing import NDArray
from PIL import Image

from progressive.codecs.rmpgc.codec import Rmpgc
from progressive.errors import WireError
from progressive.metrics import psnr
from progressive.photos import sample_photo, write_png
from progressive.registry import CODECS, WEIGHTS, codec_name, load_codec
from progressive.shell.display import QuietDisplay
from progressive.stream import StreamHeader
from progressive.transport.access import Access
from progressive.transport.webrtc.peer import PeerTransport
from progressive.transport.webrtc.server import open_server
from progressive.wire.packet import Kind, Packet, parse_packet
from progressive.wire.records import HEADER_ID, Record, write_records
from receiver.events import SegmentReceived, StreamStarted
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.options import SenderOptions
from sender.serving import serve_photos
from sender.settings import SenderSettings

pytestmark = [needs_chromium, pytest.mark.timeout(120)]

JOURNAL = "import('/page/main.js')"
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


def arrived(datagrams: list[bytes], marks: list[str]) -> list[bytes]:
    """The datagrams that a page has taken, by its marks for each of a stream's; a busy machine loses some, too."""
    streams, taken = list[int](), list[bytes]()
    for datagram in datagrams:
        try:
            packet = parse_packet(datagram)
        except WireError:
            continue
        if packet.stream not in streams:
            streams.append(packet.stream)
        if marks[streams.index(packet.stream)][packet.sequence : packet.sequence + 1] not in {"", "x"}:
            taken.append(datagram)
    return taken


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
        done = f"{JOURNAL}.then(({{ journal }}) => [...journal.photos.values()].map((photo) => photo.state))"
        await page.wait_for(f"{done}.then((states) => states.join() === 'done,done')", 60)
        await page.wait_for(f"['Complete', 'Ended'].includes({STATUS})", 60)  # all that came is decoded
        shown = [await last_picture(page, number) for number in (1, 2)]
        marks = await page.evaluate(
            f"{JOURNAL}.then(({{ journal }}) => [...journal.photos.values()].map((p) => p.marks))"
        )
        assert await page.evaluate("document.querySelector('#notice').hidden")
        assert int(await page.evaluate("document.querySelector('[data-figure=lost]').children[1].textContent")) > 0
        assert page.errors == []
    sender.cancel()
    await asyncio.gather(sender, return_exceptions=True)
    expected = pictures_of(arrived(bad_link, marks))
    assert (
        [picture.shape for picture in shown]
        == [picture.shape for picture in expected]
        == [(193, 257, 3), (128, 190, 3)]
    )
    for picture, own in zip(shown, expected, strict=True):
        assert psnr(picture, own) > 45


async def send_until(
    peer: PeerTransport, page: Page, stream: int, header: StreamHeader, nonsense: list[bytes], expression: str
) -> None:
    """Sends nonsense and a packet of a stream, with a segment that is nonsense too, until the page shows what it does
    of that; a busy machine loses packets."""
    payload = write_records([Record(HEADER_ID, header.to_bytes()), Record(1, bytes(range(200)))])
    for sequence in range(20):
        for datagram in nonsense:
            await peer.send(datagram)
        await peer.send(Packet(Kind.DATA, stream, sequence, payload, k=2, n=3).to_bytes())
        with suppress(TimeoutError):
            await page.wait_for(expression, 2)
            return
    raise TimeoutError(f"the page has not shown that {expression}")


async def test_a_page_survives_nonsense_and_says_why_a_photo_is_not_shown() -> None:
    codec = cast(Rmpgc, load_codec("rmpgc"))
    number, model, parameters = CODECS["rmpgc"].number, codec.backbone.id, bytes(3)
    chance = random.Random(5)
    nonsense = [bytes([0x10]) + chance.randbytes(chance.randrange(1, 1099)) for _ in range(100)]
    server = await open_server("webrtc://127.0.0.1:0", Access(), lambda _line: None, buffer_bytes=1 << 20)
    server.page.hand_out({model.hex(): WEIGHTS / CODECS["rmpgc"].weights})
    notice = "document.querySelector('#notice').textContent"
    try:
        async with open_page(server.address.link) as page:
            peer = (await server.next_receiver()).transport
            for stream, header, words in (
                (1, StreamHeader(number, b"anothers", 64, 64, 9, parameters), "there are no weights of this model"),
                (2, StreamHeader(number, model, 9000, 7000, 9, parameters), "9000x7000 pixels"),
                (3, StreamHeader(250, model, 64, 64, 9, parameters), "coded by codec 250 are not shown"),
            ):
                await send_until(peer, page, stream, header, nonsense, f"{notice}.includes('{words}')")
            caption = "document.querySelector('#caption').textContent"
            header = StreamHeader(number, model, 100, 80, 9, parameters)
            await send_until(peer, page, 4, header, nonsense, f"{caption}.includes('100×80')")
            assert await page.evaluate(f"{notice}") == ""
            assert await page.evaluate(STATUS) == "Receiving"
            assert all("404" in error for error in page.errors)
    finally:
        await server.close()

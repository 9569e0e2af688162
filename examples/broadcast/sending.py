"""One stream for all receivers, over a simulated link to each, then again and again for those who come later."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import suppress

from channel_sim.link import LinkSettings
from channel_sim.proxy import Path as LinkPath
from channel_sim.proxy import Proxy
from progressive.shell.display import Display
from progressive.transport.drive import drive
from progressive.transport.fan_out import FanOut
from progressive.transport.udp import UdpAddress, open_udp_sender
from sender.carousel import CarouselSession
from sender.display import SendingView
from sender.prepare import PreparedPhoto
from sender.session import SenderSession
from sender.settings import SenderSettings

ANY_PORT = UdpAddress("127.0.0.1", 0)


async def broadcast(
    prepared: PreparedPhoto,
    settings: SenderSettings,
    receivers: Sequence[tuple[UdpAddress, LinkSettings]],
    display: Display,
    *,
    seed: int,
    duration_s: float | None,
) -> None:
    """Sends a photo to all receivers, whether they are there or not, for as long as asked or until cancelled.

    Args:
        prepared: the photo.
        settings: of the stream.
        receivers: where each listens, and the link to it.
        display: for what is sent and reported.
        seed: of all links.
        duration_s: None for ever.
    """
    links = [
        LinkPath.seeded(address, channel, channel, seed + number)
        for number, (address, channel) in enumerate(receivers, 1)
    ]
    proxies = [Proxy([link]) for link in links]
    entrances = [await proxy.listen(ANY_PORT) for proxy in proxies]
    carrying = [asyncio.create_task(proxy.run()) for proxy in proxies]
    transport = FanOut([await open_udp_sender(entrance) for entrance in entrances])
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await _send(prepared, settings, transport, display)
    finally:
        transport.close()
        for proxy in proxies:
            proxy.close()
        await asyncio.gather(*carrying)


async def _send(prepared: PreparedPhoto, settings: SenderSettings, transport: FanOut, display: Display) -> None:
    clock = asyncio.get_running_loop().time
    started_s = clock()
    view = SendingView(display, prepared.name, lambda: clock() - started_s)
    first = SenderSession(prepared.packed, settings, stream_id=secrets.randbits(32), now=started_s, repeats=True)
    await drive(first, transport, view.follow("all", len(first.stream.segments)))
    display.note("repeating it for receivers that come later")
    again = CarouselSession(first, now=clock())
    await drive(again, transport, view.follow("all", len(first.stream.segments)))

"""A sender and a receiver as they are, over UDP, with the channel simulator's proxy in between."""

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest

from channel_sim.link import LinkStatistics
from channel_sim.proxy import Proxy
from channel_sim.proxy_run import ProxyOptions
from channel_sim.spec import parse_channel
from progressive.photos import sample_photo, write_png
from progressive.shell.display import Display, QuietDisplay
from progressive.transport.udp import UdpAddress, parse_udp_url
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings
from sender.options import SenderOptions
from sender.remote import stream_to_receivers
from sender.settings import SenderSettings

pytestmark = pytest.mark.usefixtures("thumbnails")


class Announcer(Display):
    """Tells where a receiver listens."""

    def __init__(self) -> None:
        self.address: Future[str] = Future()

    def note(self, text: str) -> None:
        if text.startswith("listening at "):
            self.address.set_result(text.removeprefix("listening at "))


class ProxyThread:
    """A proxy to one receiver, in a thread of this process."""

    def __init__(self, receiver: str, channel: str, *, deliver_damaged: bool = False) -> None:
        link = parse_channel(channel, deliver_damaged=deliver_damaged)
        self._options = ProxyOptions(UdpAddress("127.0.0.1", 0), [parse_udp_url(receiver)], [link], seed=1)
        self._listening: Future[str] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),))
        self._thread.start()
        self.address = self._listening.result(timeout=10)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._proxy = Proxy(self._options.paths())
        self._listening.set_result(str(await self._proxy.listen(self._options.listen)))
        await self._proxy.run()

    def stop(self) -> tuple[LinkStatistics, LinkStatistics]:
        """What the links there and back have done."""
        self._loop.call_soon_threadsafe(self._proxy.close)
        self._thread.join(timeout=10)
        return self._proxy.paths[0].there.statistics, self._proxy.paths[0].back.statistics


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.png"
    write_png(path, np.ascontiguousarray(sample_photo()[::2, ::2]))
    return path


@pytest.fixture
def threads() -> Iterator[list[threading.Thread]]:
    started: list[threading.Thread] = []
    yield started
    for thread in started:
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("channel", "inner_parity"), [("ge:loss=25%,burst=2+rate:1Mbps,delay=20ms,jitter=5ms", 0), ("ber:5e-4", 32)]
)
def test_a_photo_arrives_through_the_proxy_and_feedback_goes_back(
    photo: Path, tmp_path: Path, threads: list[threading.Thread], channel: str, inner_parity: int
) -> None:
    announcer, out = Announcer(), tmp_path / "out"
    options = ReceiverOptions(
        "udp://127.0.0.1:0", ReceiverSettings(inner_parity=inner_parity), out, reference=photo, device="cpu"
    )
    threads.append(threading.Thread(target=receive, args=(options, announcer)))
    threads[0].start()
    proxy = ProxyThread(announcer.address.result(timeout=20), channel, deliver_damaged=True)
    settings = SenderSettings(300e3, packet_size=250, deadline_s=4.0, inner_parity=inner_parity)
    try:
        stream_to_receivers(SenderOptions(str(photo), "thumbnails", settings, to=(proxy.address,)), QuietDisplay())
        threads[0].join(timeout=20)
    finally:
        there, back = proxy.stop()
    last = json.loads((out / "report.json").read_text())["events"][-1]
    assert last["psnr"] > 15
    assert there.offered > 15
    assert there.lost if channel.startswith("ge") else there.damaged
    assert back.delivered > 0

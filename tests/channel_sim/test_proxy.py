import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from conftest import CommandLine

from channel_sim import proxy_run
from channel_sim.__main__ import main
from channel_sim.link import Link, LinkSettings
from channel_sim.proxy import Path, Proxy
from channel_sim.proxy_run import ProxyOptions, figures, run_proxy
from channel_sim.spec import parse_channel
from channel_sim.traces import DeliveryOpportunities
from progressive.errors import UsageError
from progressive.shell.display import Display
from progressive.transport.udp import UdpAddress, open_endpoint, parse_udp_url

ANY_PORT = UdpAddress("127.0.0.1", 0)


class Socket(asyncio.DatagramProtocol):
    """A plain UDP program: keeps what comes, answers whoever sent last."""

    def __init__(self) -> None:
        self.arrived, self.sources = list[bytes](), list[tuple[str, int]]()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport
        self.address = UdpAddress(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.arrived.append(data)
        self.sources.append(addr)

    def send(self, data: bytes, to: UdpAddress | None = None) -> None:
        self.transport.sendto(data, self.sources[-1] if to is None else (to.host, to.port))

    async def take(self, seconds: float = 0.15) -> list[bytes]:
        """What arrives until nothing has for so long."""
        seen = -1
        while seen < len(self.arrived):
            seen = len(self.arrived)
            await asyncio.sleep(seconds)
        taken, self.arrived = self.arrived, []
        return taken


async def plain_socket() -> Socket:
    socket = Socket()
    await open_endpoint(socket, ANY_PORT, connected=False)
    return socket


@dataclass
class Bench:
    """A proxy between sockets of this process: a sender, a receiver for each channel."""

    receivers: list[Socket]
    sender: Socket
    proxy: Proxy
    address: UdpAddress

    def send(self, data: bytes) -> None:
        self.sender.send(data, self.address)


@asynccontextmanager
async def bench(*channels: str, back: str = "none", seed: int = 0) -> AsyncIterator[Bench]:
    sender, *receivers = [await plain_socket() for _ in range(1 + len(channels))]
    links = [parse_channel(channel) for channel in channels]
    addresses = [receiver.address for receiver in receivers]
    proxy = Proxy(ProxyOptions(ANY_PORT, addresses, links, back=parse_channel(back), seed=seed).paths())
    address = await proxy.listen(ANY_PORT)
    running = asyncio.create_task(proxy.run())
    try:
        yield Bench(receivers, sender, proxy, address)
    finally:
        proxy.close()
        await running
        for socket in (sender, *receivers):
            socket.transport.close()


async def test_datagrams_pass_unchanged_and_answers_come_back_to_their_sender() -> None:
    async with bench("none") as ends:
        (receiver,), other = ends.receivers, await plain_socket()
        for sender, data in ((ends.sender, bytes(range(256))), (other, b"\0")):
            sender.send(data, ends.address)
            assert await receiver.take() == [data]
            receiver.send(b"yes")
            assert await sender.take() == [b"yes"]
        assert ends.sender.arrived == other.arrived == []
        other.transport.close()


async def test_the_same_packets_are_lost_as_on_the_virtual_clock_there_and_back() -> None:
    channel, data = "ge:loss=30%,burst=3", [bytes([number]) for number in range(100)]
    async with bench(channel, back=channel, seed=3) as ends:
        (receiver,) = ends.receivers
        for datagram in data:
            ends.send(datagram)
        there, back = Link(parse_channel(channel), seed=6), Link(parse_channel(channel), seed=7)
        kept = [datagram for datagram in data if there.send(datagram, 0.0)]
        assert 30 < len(kept) < 95
        assert await receiver.take() == kept
        for datagram in data:
            receiver.send(datagram)
        assert await ends.sender.take() == [datagram for datagram in data if back.send(datagram, 0.0)]


async def test_every_receiver_gets_the_stream_through_a_channel_of_its_own() -> None:
    async with bench("none", "loss:50%", "delay:100ms") as ends:
        data = [bytes([number]) for number in range(40)]
        for datagram in data:
            ends.send(datagram)
        clean, lossy, late = await asyncio.gather(*(receiver.take(0.4) for receiver in ends.receivers))
        assert clean == late == data
        link = Link(parse_channel("loss:50%"), seed=2)
        assert lossy == [datagram for datagram in data if link.send(datagram, 0.0)]
        for number, receiver in enumerate(ends.receivers):
            receiver.send(b"answer of %d" % number)
        assert await ends.sender.take() == [b"answer of 0"]


async def test_equal_arrival_times_keep_the_order_of_sending() -> None:
    async with bench("none") as ends:
        together = DeliveryOpportunities("t", np.array([50]))  # a trace lets several packets through at one instant
        ends.proxy.paths[0].there = Link(LinkSettings(trace=together), seed=0)
        data = [bytes([number]) for number in range(100)]
        for datagram in data:
            ends.send(datagram)
        assert await ends.receivers[0].take() == data


async def test_the_sender_silent_for_longest_makes_room_for_a_further_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channel_sim.proxy.MAX_SENDERS", 2)
    async with bench("none") as ends:
        (receiver,), senders = ends.receivers, [await plain_socket() for _ in range(3)]
        for number in (0, 1, 0, 2):
            senders[number].send(bytes([number]), ends.address)
            await receiver.take(0.05)
        for source in dict.fromkeys(receiver.sources):
            receiver.transport.sendto(b"still there?", source)
        assert [await sender.take() for sender in senders] == [[b"still there?"], [], [b"still there?"]]
        for sender in senders:
            sender.transport.close()


async def test_figures_tell_what_a_link_does_now() -> None:
    async with bench("awgn:10dB+modem:qpsk-1/2,bandwidth=1MHz+delay:20ms+duplicate:100%") as ends:
        for _ in range(5):
            ends.send(bytes(1000))
        await ends.receivers[0].take()
        path = ends.proxy.paths[0]
        record = figures(path, asyncio.get_running_loop().time())
        assert json.loads(json.dumps(record)) == record
        assert record["offered"] == record["delivered"] == record["duplicated"] == 5
        assert record["rate_bps"] == 5 * 8000
        in_the_air_s = 8000 / 0.6e6
        assert 0.02 + in_the_air_s <= record["delay_s"] <= 0.02 + 5 * in_the_air_s
        assert (record["snr_db"], record["mcs"]) == (10, "qpsk-1/2")
        later = figures(path, asyncio.get_running_loop().time() + 10)
        assert (later["rate_bps"], later["delay_s"]) == (0, None)


def test_rate_and_delay_are_of_what_arrives_not_of_what_is_offered() -> None:
    settings = parse_channel("rate:80kbps,delay=50ms")  # 1,000 bytes take 0.1 s
    path = Path.seeded(UdpAddress("127.0.0.1", 9), settings, LinkSettings(), 0)
    path.latest.extend(path.there.carry(bytes(1000), 5.0) for _ in range(30))
    assert figures(path, 5.14)["rate_bps"] == 0
    assert figures(path, 7.09)["rate_bps"] == pytest.approx(80e3)
    assert figures(path, 7.09)["delay_s"] == pytest.approx(1.65)  # 1.15 s to 2.05 s
    assert figures(path, 9.06)["rate_bps"] == 0


async def test_figures_of_a_satellite_below_the_horizon_have_no_snr() -> None:
    async with bench("freespace:2GHz,power=60dBm,bandwidth=1MHz+orbit:600km,start=0,peak=0") as ends:
        ends.send(b"x")
        await ends.receivers[0].take()
        record = figures(ends.proxy.paths[0], asyncio.get_running_loop().time() + 1000)
        assert record["snr_db"] is None
        json.dumps(record, allow_nan=False)


class Recorder(Display):
    def __init__(self) -> None:
        self.notes, self.events = list[str](), list[Mapping[str, Any]]()
        self.address: Future[str] = Future()

    def note(self, text: str) -> None:
        self.notes.append(text)
        if text.startswith("listening at "):
            self.address.set_result(text.removeprefix("listening at "))

    def event(self, record: Mapping[str, Any], text: str) -> None:
        self.events.append(record)
        self.note(text)


@pytest.mark.parametrize("every_s", [0.1, 10])  # at the end at the latest
def test_a_run_says_where_it_listens_shows_figures_and_sums_up(monkeypatch: pytest.MonkeyPatch, every_s: float) -> None:
    monkeypatch.setattr(proxy_run, "FIGURES_S", every_s)
    display = Recorder()
    options = ProxyOptions(ANY_PORT, [UdpAddress("127.0.0.1", 9)], [parse_channel("loss:50%")], duration_s=0.8)
    running = threading.Thread(target=run_proxy, args=(options, display))
    running.start()

    async def send(address: UdpAddress) -> None:
        sender = await plain_socket()
        for _ in range(20):
            sender.send(b"x", address)
        sender.transport.close()

    asyncio.run(send(parse_udp_url(display.address.result(10))))
    running.join()
    assert display.notes[0] == "udp://127.0.0.1:9: loss 50%"
    assert len(display.events) == 1  # figures are shown when something happened
    assert display.events[0]["offered"] == 20
    assert display.notes[-1].startswith("udp://127.0.0.1:9: 20 packets, ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--listen", "udp://127.0.0.1:0", "--forward", "tcp://127.0.0.1:1", "--channel", "none"), "not a UDP address"),
        (("--listen", "udp://127.0.0.1:0", "--forward", "udp://localhost:0", "--channel", "none"), "no port to send"),
        (("--listen", "udp://127.0.0.1:0", "--forward", "udp://127.0.0.1:1", "--channel", "ep9"), "unknown part"),
        (("--listen", "udp://127.0.0.1:7", "--forward", "udp://127.0.0.1:7", "--channel", "none"), "to itself"),
        (("--listen", "udp://192.0.2.1:7", "--forward", "udp://127.0.0.1:7", "--channel", "none"), "listened at"),
        (
            ("--listen", "udp://127.0.0.1:0", *("--forward", "udp://127.0.0.1:1") * 2, "--channel", "none"),
            "named twice",
        ),
        (
            ("--listen", "udp://127.0.0.1:0", "--forward", "udp://127.0.0.1:1", *("--channel", "none") * 2),
            "2 channels for 1 receivers",
        ),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(call: CommandLine, arguments: tuple[str, ...], says: str) -> None:
    outcome = call(main, "proxy", *arguments)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_port_in_use_is_refused() -> None:
    async def listen_twice() -> None:
        taken, settings = await plain_socket(), LinkSettings()
        proxy = Proxy([Path.seeded(UdpAddress("127.0.0.1", 9), settings, settings, 0)])
        with pytest.raises(UsageError, match="in use"):
            await proxy.listen(taken.address)
        taken.transport.close()

    asyncio.run(listen_twice())

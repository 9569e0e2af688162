"""Streams over MQTT: how soon who comes later has the base, and how many receivers one sender serves.

    python -m benchmarks.mqtt [--bandwidth 50kbps] [--seconds 15] [--embedded 200] [--mosquitto 1000]

First, on each broker, receivers join one after the other while the stream is repeated: the time from the call that
connects until the session has the whole base. Then so many receivers at a time, each with a connection and a session
(no pictures are made), in one process: the share of all datagrams that arrived at all of them, how long one takes, and
the CPU that each process takes of a core. The embedded broker runs in the sender's process, mosquitto in its own and
only if it is installed. Everything is on this machine.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from progressive.errors import RunError
from progressive.stream import LayeredStream, Segment, StreamHeader
from progressive.transport.access import Access
from progressive.transport.drive import drive
from progressive.transport.mqtt.address import MqttAddress
from progressive.transport.mqtt.broker import EmbeddedBroker
from progressive.transport.mqtt.receiving import MqttReceiver
from progressive.transport.mqtt.sending import MqttSender
from progressive.units import format_bandwidth, parse_bandwidth
from receiver.events import PacketReceived, ReceiverEvent, StreamEnded
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.carousel import CarouselSession
from sender.events import PacketSent, SenderEvent
from sender.session import SenderSession
from sender.settings import SenderSettings

TOPIC = "benchmark"
JOINS = 30
SETTLE_S = 3.0
START_S = 10.0
BASE_PACKETS = 4
SEGMENT_BYTES = 1000
SOURCE_SHARE = 0.8
"""Of what the bandwidth pays for: the rest is headers, and time to spare."""

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True, slots=True)
class Reception:
    """What the receivers of a run saw: arrival times by sequence number for each, and what the process cost."""

    arrivals: list[dict[int, float]]
    cpu_s: float
    wall_s: float


def cpu_s(pid: int | None = None) -> float:
    """Processor time of this process or another one, in seconds."""
    if pid is None:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Mosquitto:
    """A process with the settings that Debian ships, but for its port."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory()
        config = Path(self._folder.name) / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.process = subprocess.Popen([str(MOSQUITTO), "-c", config], stderr=subprocess.DEVNULL)
        until = time.monotonic() + START_S
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > until:
                self.stop()
                raise RunError("mosquitto does not start")
            time.sleep(0.05)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self._folder.cleanup()


@asynccontextmanager
async def sender_at(mosquitto: Mosquitto | None) -> AsyncIterator[MqttSender]:
    """A connection to mosquitto, or to a broker of its own."""
    broker = EmbeddedBroker() if mosquitto is None else None
    port = await broker.start(0) if broker is not None else mosquitto.port if mosquitto is not None else 0
    sender = MqttSender(MqttAddress("127.0.0.1", port, TOPIC), Access(), print)
    await sender.open(patient=False)
    yield sender
    await sender.leave()
    if broker is not None:
        await broker.stop()


def make_stream(size: int, seed: int = 0) -> LayeredStream:
    """So many bytes at random, in segments that fill a packet each, the first four the base."""
    rng = random.Random(seed)
    count = BASE_PACKETS + size // SEGMENT_BYTES
    segments = tuple(
        Segment(i, 0 if i <= BASE_PACKETS else 1, (BASE_PACKETS,) * (i > BASE_PACKETS), rng.randbytes(SEGMENT_BYTES))
        for i in range(1, count + 1)
    )
    return LayeredStream(StreamHeader(1, bytes(8), 640, 480, count), segments)


def session_for(bandwidth_bps: float, seconds: float) -> SenderSession:
    settings = SenderSettings(bandwidth_bps, deadline_s=seconds, serve=0.95, protection="none")
    stream = make_stream(int(bandwidth_bps / 8 * seconds * SOURCE_SHARE))
    now = asyncio.get_running_loop().time()
    return SenderSession(stream, settings, stream_id=1, now=now, repeats=True)


async def join_times(mosquitto: Mosquitto | None, bandwidth_bps: float) -> list[float]:
    """Seconds until each of several receivers, one after the other, has the base."""
    clock = time.perf_counter
    async with sender_at(mosquitto) as sender:
        first = session_for(bandwidth_bps, 5.0)
        await sender.begin_stream(first.base_blocks)
        await drive(first, sender)
        carousel = CarouselSession(first, now=asyncio.get_running_loop().time())
        serving = asyncio.create_task(drive(carousel, sender))
        times = []
        for number in range(JOINS):
            start = clock()
            receiver = MqttReceiver(sender.address, Access(), print)
            await receiver.open(patient=True)
            session = ReceiverSession(ReceiverSettings(receiver_id=number), now=0.0)
            blocks: dict[int, set[int]] = {}
            while True:
                session.receive_datagram(await receiver.receive(), clock())
                for event in iter(session.next_event, None):
                    if isinstance(event, PacketReceived) and event.kind == "source":
                        blocks.setdefault(event.blocks[0][0], set()).add(event.index)
                if len(blocks.get(0, ())) == first.plan.sources[0]:
                    break
            times.append(clock() - start)
            receiver.close()
            await receiver.wait_closed()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
    return times


def receive_all(port: int, count: int, pipe: Connection) -> None:
    """The receivers' process: says when all have subscribed, and what came once the stream is over."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    pipe.send(asyncio.run(_receive_all(port, count, pipe)))


async def _receive_all(port: int, count: int, pipe: Connection) -> Reception:
    loop = asyncio.get_running_loop()
    address = MqttAddress("127.0.0.1", port, TOPIC)
    receivers = [MqttReceiver(address, Access(), print) for _ in range(count)]
    for receiver in receivers:
        await receiver.open(patient=True)
    pipe.send("ready")
    arrivals: list[dict[int, float]] = [{} for _ in receivers]

    async def follow(number: int) -> None:
        session = ReceiverSession(ReceiverSettings(receiver_id=number), now=loop.time())
        over = asyncio.Event()

        def on_event(event: ReceiverEvent) -> None:
            if isinstance(event, PacketReceived):
                arrivals[number][event.sequence] = loop.time()
            elif isinstance(event, StreamEnded):
                over.set()

        driving = asyncio.create_task(drive(session, receivers[number], on_event))
        await asyncio.wait([driving, asyncio.create_task(over.wait())], return_when=asyncio.FIRST_COMPLETED)
        driving.cancel()

    cpu, wall = cpu_s(), loop.time()
    await asyncio.gather(*(follow(number) for number in range(count)))
    reception = Reception(arrivals, cpu_s() - cpu, loop.time() - wall)
    for receiver in receivers:
        receiver.close()
    return reception


async def serve_many(mosquitto: Mosquitto | None, count: int, bandwidth_bps: float, seconds: float) -> str:
    """One stream to so many receivers; what came of it, in one line."""
    loop = asyncio.get_running_loop()
    async with sender_at(mosquitto) as sender:
        here, there = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=receive_all, args=(sender.address.port, count, there))
        process.start()
        await asyncio.to_thread(here.recv)
        sent: dict[int, float] = {}

        def on_event(event: SenderEvent) -> None:
            if isinstance(event, PacketSent) and event.kind != "control":
                sent[event.sequence] = loop.time()

        session = session_for(bandwidth_bps, seconds)
        cpu, broker_cpu = cpu_s(), cpu_s(mosquitto.process.pid) if mosquitto else 0.0
        start = loop.time()
        await sender.begin_stream(session.base_blocks)
        await drive(session, sender, on_event)
        wall = loop.time() - start
        cpu = cpu_s() - cpu
        broker_cpu = cpu_s(mosquitto.process.pid) - broker_cpu if mosquitto else 0.0
        carousel = CarouselSession(session, now=loop.time())
        carousel.stop(loop.time())
        await asyncio.sleep(SETTLE_S)
        await drive(carousel, sender)
        reception: Reception = await asyncio.to_thread(here.recv)
        process.join()
    delays = np.array([at - sent[number] for own in reception.arrivals for number, at in own.items() if number in sent])
    share = len(delays) / (len(sent) * count)
    worst = min(sum(number in sent for number in own) for own in reception.arrivals) / len(sent)
    median, late = np.quantile(delays, (0.5, 0.99)) * 1e3
    broker = f", mosquitto {broker_cpu / wall:.0%}" if mosquitto else " with the broker"
    return (
        f"{count} receivers: {share:.2%} of {len(sent)} datagrams each arrived (the worst off: {worst:.1%}), "
        f"{len(delays) / wall:.0f} a second, after {median:.0f} ms in the median, 99 % within {late:.0f} ms; "
        f"CPU: sender{broker if not mosquitto else ''} {cpu / wall:.0%}{broker if mosquitto else ''}, "
        f"all receivers {reception.cpu_s / reception.wall_s:.0%} of a core, "
        f"{reception.cpu_s / len(delays) * 1e6:.0f} us a datagram"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=parse_bandwidth("50kbps"))
    parser.add_argument("--seconds", type=float, default=15.0, help="of each stream to many receivers")
    parser.add_argument("--embedded", type=int, default=200, help="receivers on the embedded broker")
    parser.add_argument("--mosquitto", type=int, default=1000, help="receivers on mosquitto")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(f"{format_bandwidth(args.bandwidth)}, on {os.cpu_count()} cores with a load of {os.getloadavg()[0]:.1f}")
    for name, count in (("embedded broker", args.embedded), ("mosquitto", args.mosquitto)):
        if name == "mosquitto" and MOSQUITTO is None:
            print("mosquitto: not installed (Debian: mosquitto mosquitto-clients)")
            continue
        mosquitto = Mosquitto() if name == "mosquitto" else None
        times = 1e3 * np.array(asyncio.run(join_times(mosquitto, args.bandwidth)))
        median, worst = np.median(times), times.max()
        print(f"{name}: the base after {median:.0f} ms in the median of {JOINS} joins, {worst:.0f} ms at most")
        print(f"{name}: {asyncio.run(serve_many(mosquitto, count, args.bandwidth, args.seconds))}")
        if mosquitto is not None:
            mosquitto.stop()


if __name__ == "__main__":
    main()

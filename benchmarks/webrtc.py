"""WebRTC on this machine: how soon a receiver that joins has a picture, what is lost, whom a stalled receiver delays.

    python -m benchmarks.webrtc [--joins 5] [--bandwidth 5Mbps] [--seconds 20] [--receivers 20]

Sender and receivers are processes of their own. The first measure is of whole programs with the default codec, from the
moment a receiver begins to join to its first picture; the others are of sessions with random bytes. Delays are from the
call that sends a packet to the one that takes it, of all receivers but the one that is stopped (SIGSTOP) half way.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import secrets
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.pacing import make_stream
from progressive.shell.display import Display
from progressive.transport.access import Access
from progressive.transport.drive import drive
from progressive.transport.webrtc.peer import PeerTransport
from progressive.transport.webrtc.server import WebRtcServer, open_server
from progressive.units import format_bandwidth, parse_bandwidth
from progressive.wire.packet import Kind, parse_packet
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

ANY_PORT = "webrtc://127.0.0.1:0"
BANDWIDTH_OF_EACH_BPS = 50e3
BEGINNING_S = 2.0
"""Left out of the delays: all streams are planned at once then."""

SENDER_PORT = 18471


class FirstPicture(Display):
    """Notes how long after the receiver began to join its first picture was there."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self.seconds: float | None = None

    def note(self, text: str) -> None:
        if text.startswith("joining "):
            self._began_s = time.perf_counter()

    def event(self, record: Mapping[str, Any], text: str) -> None:
        if self.seconds is None:
            self.seconds = time.perf_counter() - self._began_s


async def join_to_first_picture(joins: int) -> list[float]:
    """Seconds, of each join in turn."""
    url = f"webrtc://127.0.0.1:{SENDER_PORT}"
    sender = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sender", "--to", url, "--bandwidth", format_bandwidth(BANDWIDTH_OF_EACH_BPS)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert sender.stdout is not None
    while not (await sender.stdout.readline()).startswith(b"serving at"):
        pass
    times = []
    for _ in range(joins):
        with tempfile.TemporaryDirectory() as folder:
            display = FirstPicture()
            await asyncio.to_thread(receive, ReceiverOptions(url, ReceiverSettings(), Path(folder)), display)
            assert display.seconds is not None
            times.append(display.seconds)
    sender.send_signal(signal.SIGINT)
    await sender.communicate()
    return times


class TimedPeer:
    """A transport that notes when each datagram was sent."""

    def __init__(self, transport: PeerTransport, sending: Sending) -> None:
        self._transport, self._sending = transport, sending

    async def send(self, data: bytes) -> None:
        packet = parse_packet(data)
        now = time.monotonic()
        self._sending.times[packet.stream, packet.sequence] = now
        if packet.kind is not Kind.CONTROL:  # the end is said when all is sent, at a pace of its own
            self._sending.bytes += len(data)
            self._sending.last_s = now
        await self._transport.send(data)

    async def receive(self) -> bytes:
        return await self._transport.receive()

    def close(self) -> None:
        self._transport.close()


async def serve_each(server: WebRtcServer, count: int, bandwidth_bps: float, seconds: float) -> Sending:
    """Streams to the first `count` receivers once all have joined; a session for each."""
    settings = SenderSettings(bandwidth_bps=bandwidth_bps, deadline_s=seconds, protection="none")
    stream = make_stream(int(bandwidth_bps / 8 * seconds))
    sending = Sending([(await server.next_receiver()).transport for _ in range(count)])
    loop = asyncio.get_running_loop()

    async def send(transport: PeerTransport) -> None:
        session = await asyncio.to_thread(
            SenderSession, stream, settings, stream_id=secrets.randbits(32), now=loop.time()
        )
        await drive(session, TimedPeer(transport, sending))
        transport.close()

    sending.began_s = time.monotonic()
    sending.over = asyncio.gather(*(send(transport) for transport in sending.transports))
    return sending


class Sending:
    """The streams to several receivers.

    Fields:
        transports: one for each.
        times: when each datagram was sent, by stream and sequence number.
        bytes: of all of them but the end.
        last_s: when the last of these was sent.
        over: done when all streams are.
    """

    def __init__(self, transports: list[PeerTransport]) -> None:
        self.transports = transports
        self.times: dict[tuple[int, int], float] = {}
        self.over: asyncio.Future[list[None]] = asyncio.get_running_loop().create_future()
        self.began_s = self.last_s = 0.0
        self.bytes = 0


async def start_receivers(url: str, count: int, arrivals: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks._webrtc_receivers", url, "--count", str(count), "--arrivals", str(arrivals)
    )


def own_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def paced(bandwidth_bps: float, seconds: float) -> str:
    """One stream at this rate: what was lost, and by whom."""
    server = await open_server(ANY_PORT, Access(), print, buffer_bytes=int(bandwidth_bps / 8 / 4))
    with tempfile.TemporaryDirectory() as folder:
        arrivals = Path(folder) / "arrivals"
        receiver = await start_receivers(str(server.address), 1, arrivals)
        cpu_s = own_cpu_s()
        sending = await serve_each(server, 1, bandwidth_bps, seconds)
        await sending.over
        took_s, cpu_s = time.monotonic() - sending.began_s, own_cpu_s() - cpu_s
        await receiver.wait()
        result = json.loads(arrivals.read_text())
    await server.close()
    sent = len(sending.times)
    delays = [1000 * (at - sending.times[stream, sequence]) for stream, sequence, at in result["arrivals"]]
    rate_bps = 8 * sending.bytes / (sending.last_s - min(sending.times.values()))
    return (
        f"{format_bandwidth(bandwidth_bps)} for {seconds:g} s: {sent} datagrams at {rate_bps / 1e6:.2f} Mbit/s, "
        f"{sent - result['received']} lost, of which {sending.transports[0].dropped} were never sent; "
        f"{in_words(delays)}; sender's CPU {cpu_s / took_s:.0%} of a core"
    )


async def with_one_stalled(count: int, seconds: float) -> str:
    """Delays of all receivers but one, before and after that one is stopped."""
    server = await open_server(ANY_PORT, Access(), print, buffer_bytes=8800)
    with tempfile.TemporaryDirectory() as folder:
        others = [count - 1 - (count - 1) // 2, (count - 1) // 2]
        files = [Path(folder) / str(number) for number in range(3)]
        children = [
            await start_receivers(str(server.address), size, file)
            for size, file in zip([*others, 1], files, strict=True)
        ]
        cpu_s = own_cpu_s()
        sending = await serve_each(server, count, BANDWIDTH_OF_EACH_BPS, seconds)
        await asyncio.sleep(seconds / 2)
        os.kill(children[2].pid, signal.SIGSTOP)
        stopped_s = time.monotonic()
        for child in children[:2]:
            await child.wait()
        took_s, cpu_s = time.monotonic() - sending.began_s, own_cpu_s() - cpu_s
        children[2].kill()
        await children[2].wait()
        results = [json.loads(line) for file in files[:2] for line in file.read_text().splitlines()]
        for transport in sending.transports:
            transport.close()
        await sending.over
    await server.close()
    dropped = max(transport.dropped for transport in sending.transports)
    before: list[float] = []
    after: list[float] = []
    for result in results:
        for stream, sequence, at in result["arrivals"]:
            sent_s = sending.times[stream, sequence]
            if sent_s > sending.began_s + BEGINNING_S:
                (before if sent_s < stopped_s else after).append(1000 * (at - sent_s))
    lost, ratio = sum(result["lost"] for result in results), np.mean(after) / np.mean(before)
    return (
        f"{count} receivers at {format_bandwidth(BANDWIDTH_OF_EACH_BPS)} each, one stopped half way: of the others "
        f"before {in_words(before)}, after {in_words(after)}, ratio of the means {ratio:.2f}; {lost} of their "
        f"datagrams lost; to the stopped one {dropped} dropped; sender's CPU "
        f"{cpu_s / took_s:.0%} of a core"
    )


def in_words(delays_ms: list[float]) -> str:
    return f"delay {np.median(delays_ms):.1f} ms, 99th percentile {np.percentile(delays_ms, 99):.1f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--joins", type=int, default=5)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=parse_bandwidth("5Mbps"))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--receivers", type=int, default=20)
    args = parser.parse_args()
    times = asyncio.run(join_to_first_picture(args.joins))
    words = ", ".join(f"{seconds:.2f}" for seconds in times)
    print(f"join to first picture at 50 kbit/s: median {statistics.median(times):.2f} s of {words}")
    print(asyncio.run(paced(args.bandwidth, args.seconds)))
    print(asyncio.run(with_one_stalled(args.receivers, args.seconds)))


if __name__ == "__main__":
    main()

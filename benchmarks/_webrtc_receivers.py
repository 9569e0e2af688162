"""Receivers over WebRTC in a process of their own: sessions without pictures, every arrival timed.

    python -m benchmarks._webrtc_receivers URL --count 5 --arrivals FILE

Writes a JSON line for each receiver: its counts, and [stream, sequence, seconds on the system's monotonic clock] of
each datagram, which a sender on the same machine can compare with when it sent them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path

from progressive.transport.access import Access
from progressive.transport.drive import drive
from progressive.transport.schemes import ReceivingTransport
from progressive.transport.webrtc.join import join
from progressive.wire.packet import parse_packet
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings


class TimedTransport:
    """A transport that notes when each datagram came."""

    def __init__(self, transport: ReceivingTransport) -> None:
        self.arrivals: list[tuple[int, int, float]] = []
        self._transport = transport

    async def send(self, data: bytes) -> None:
        await self._transport.send(data)

    async def receive(self) -> bytes:
        data = await self._transport.receive()
        packet = parse_packet(data)
        self.arrivals.append((packet.stream, packet.sequence, time.monotonic()))
        return data

    def close(self) -> None:
        self._transport.close()


async def receive(url: str) -> str:
    joined = await join(url, Access(), lambda _line: None)
    transport = TimedTransport(joined)
    session = ReceiverSession(ReceiverSettings(), now=asyncio.get_running_loop().time())
    await drive(session, transport)
    transport.close()
    await joined.wait_closed()
    statistics = session.statistics
    return json.dumps({"received": statistics.received, "lost": statistics.lost, "arrivals": transport.arrivals})


async def run(url: str, count: int, file: Path) -> None:
    lines = await asyncio.gather(*(receive(url) for _ in range(count)))
    await asyncio.to_thread(file.write_text, "\n".join(lines))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--arrivals", type=Path, required=True)
    args = parser.parse_args()
    asyncio.run(run(args.url, args.count, args.arrivals))


if __name__ == "__main__":
    main()

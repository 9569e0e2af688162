"""Pacing in real time: what really leaves for the wire, against bandwidth x time.

    python -m benchmarks.pacing [--bandwidth 50kbps] [--seconds 30]

A stream of random bytes goes through the pump to a transport that only takes notes. `excess` is the most that any
window of time holds beyond bandwidth x its length; the bucket allows one packet, or 10 ms if that is more.
"""

from __future__ import annotations

import argparse
import asyncio
import random

import numpy as np

from progressive.stream import LayeredStream, Segment, StreamHeader
from progressive.transport.drive import drive
from progressive.units import format_bandwidth, parse_bandwidth
from sender.session import SenderSession
from sender.settings import SenderSettings


class NotingTransport:
    """Notes when each datagram is sent, and its size; nothing ever comes back."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, int]] = []

    async def send(self, data: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time(), len(data)))

    async def receive(self) -> bytes:
        never: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        return await never

    def close(self) -> None:
        """Nothing to free."""


def make_stream(size: int, seed: int = 0) -> LayeredStream:
    rng = random.Random(seed)
    count = size // 1000 + 4
    segments = tuple(Segment(i, min(i - 1, 1), (1,) * (i > 1), rng.randbytes(1000)) for i in range(1, count + 1))
    return LayeredStream(StreamHeader(1, bytes(8), 640, 480, count), segments)


async def run(bandwidth_bps: float, seconds: float) -> list[tuple[float, int]]:
    settings = SenderSettings(bandwidth_bps=bandwidth_bps, deadline_s=seconds, feedback=False, protection="none")
    transport = NotingTransport()
    stream = make_stream(int(bandwidth_bps / 8 * seconds))
    session = SenderSession(stream, settings, stream_id=0, now=asyncio.get_running_loop().time())
    await drive(session, transport)
    return transport.sent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=parse_bandwidth("50kbps"))
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    sent = asyncio.run(run(args.bandwidth, args.seconds))
    times, sizes = np.array([t for t, _ in sent]), np.array([s for _, s in sent])
    rate = args.bandwidth / 8
    # The fullest window from packet i to packet j: what lies before it and what it ends with, as running extremes.
    after, before = np.cumsum(sizes) - rate * times, np.cumsum(sizes) - sizes - rate * times
    excess = (after - np.minimum.accumulate(before)).max()
    spaced = sizes[:-1].sum() / (times[-1] - times[0])
    allowed = SenderSettings(bandwidth_bps=args.bandwidth).burst_bytes
    print(
        f"{format_bandwidth(args.bandwidth)}, {len(sent)} datagrams in {times[-1] - times[0]:.1f} s: rate "
        f"{spaced / rate - 1:+.2%}, excess {excess:.0f} bytes in any window (allowed: {allowed})"
    )


if __name__ == "__main__":
    main()

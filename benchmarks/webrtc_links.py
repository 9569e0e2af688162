"""WebRTC over poor links: what does SCTP, which data channels run on, add to the losses of the link?

    python -m benchmarks.webrtc_links [--bandwidth 50kbps] [--seconds 20] [--channel SPEC ..]

Connections pass the proxy, which only sees UDP. SCTP slows down when packets are lost, whether that helps or not: what
it then holds back for too long, the sender drops. A stream of random bytes for each link, planned as always.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time

import aiohttp

from benchmarks.pacing import make_stream
from channel_sim.link import LinkSettings
from channel_sim.proxy import Path, Proxy
from channel_sim.spec import parse_channel
from progressive.transport.access import Access
from progressive.transport.drive import drive
from progressive.transport.udp import UdpAddress
from progressive.transport.webrtc import join
from progressive.transport.webrtc.server import open_server
from progressive.units import format_bandwidth, parse_bandwidth
from receiver.session import ReceiverSession
from receiver.settings import ReceiverSettings
from sender.session import SenderSession
from sender.settings import SenderSettings

CHANNELS = [
    "delay:80ms",
    "loss:5%+delay:80ms",
    "ge:loss=10%,burst=5+delay:80ms",
    "loss:10%+delay:300ms",
    "loss:30%+delay:80ms",
]
CANDIDATE = re.compile(r"a=candidate:.*\r\n")
IPV4 = re.compile(r"a=candidate:\S+ 1 udp \S+ (\d+\.\S+) (\d+) ")


class ThroughProxy(join.JoiningTransport):
    """Joins with the sender's first address replaced by a proxy's, and its own left out."""

    proxy: Proxy
    link: LinkSettings

    async def _offer(self, http: aiohttp.ClientSession, offer: str) -> tuple[str, str]:
        location, answer = await super()._offer(http, CANDIDATE.sub("", offer))
        found = IPV4.search(answer)
        assert found is not None
        host, port = found[1], int(found[2])
        self.proxy = Proxy([Path.seeded(UdpAddress(host, port), self.link, self.link, 0)])
        at = await self.proxy.listen(UdpAddress(host, 0))
        self.passing = asyncio.create_task(self.proxy.run())
        return location, CANDIDATE.sub("", answer) + f"a=candidate:1 1 udp 2130706431 {host} {at.port} typ host\r\n"


async def over(channel: str, bandwidth_bps: float, seconds: float) -> str:
    buffer_bytes = max(8800, int(bandwidth_bps / 8 / 4))
    server = await open_server("webrtc://127.0.0.1:0", Access(), print, buffer_bytes=buffer_bytes)
    ThroughProxy.link = parse_channel(channel)
    began_s = time.perf_counter()
    receiver = ThroughProxy(server.address, None, (), print)
    sender = (await server.next_receiver()).transport
    joined_s = time.perf_counter() - began_s
    now = asyncio.get_running_loop().time()
    settings = SenderSettings(bandwidth_bps=bandwidth_bps, deadline_s=seconds)
    session = SenderSession(make_stream(int(bandwidth_bps / 8 * seconds)), settings, stream_id=0, now=now)
    receiving = ReceiverSession(ReceiverSettings(), now=now)
    taking = asyncio.create_task(drive(receiving, receiver))
    await drive(session, sender)
    await asyncio.wait([taking], timeout=3.0)
    taking.cancel()
    statistics = receiving.statistics
    receiver.close()
    await receiver.wait_closed()
    receiver.proxy.close()
    await server.close()
    sent = statistics.received + statistics.lost
    return (
        f"{channel}: joined after {joined_s:.1f} s; {statistics.lost / sent:.1%} of {sent} datagrams lost, of which "
        f"{sender.dropped / sent:.1%} before they were sent"
    )


async def run(channels: list[str], bandwidth_bps: float, seconds: float) -> None:
    print(f"at {format_bandwidth(bandwidth_bps)} for {seconds:g} s:")
    for channel in channels:
        print(await over(channel, bandwidth_bps, seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bandwidth", type=parse_bandwidth, default=parse_bandwidth("50kbps"))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--channel", action="append", metavar="SPEC", help="may be repeated")
    args = parser.parse_args()
    asyncio.run(run(args.channel or CHANNELS, args.bandwidth, args.seconds))


if __name__ == "__main__":
    main()

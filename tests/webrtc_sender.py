"""A sender that serves over WebRTC and a receiver made of aiortc alone, in a process of their own.

Of their own because both draw random numbers while they run, which a fuzz test takes for its own.
"""

import asyncio
import re
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import aiohttp
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from progressive.transport.access import Access
from progressive.transport.webrtc import peer, server
from progressive.transport.webrtc.server import open_server
from progressive.wire.packet import Kind, Packet

LAST = Packet(Kind.FEEDBACK, stream=7, sequence=7, payload=b"the last one").to_bytes()
MAX_RECEIVERS = 4


class FuzzedSender:
    """The two, as seen from the test's process."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._pipe, child = context.Pipe()
        self._process = context.Process(target=_run, args=(child,), daemon=True)
        self._process.start()
        self.port: int
        self.offer: str
        self.socket_address: tuple[str, int]
        self.port, self.offer, self.socket_address = self._answer()

    def exchange(self, messages: list[bytes | str]) -> int:
        """The receiver sends these on the reliable channel, then a last packet that has to come through.

        Returns how many receivers hold a place; raises what went wrong there.
        """
        self._pipe.send(messages)
        count: int = self._answer()
        return count

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join(20)
        assert self._process.exitcode == 0

    def _answer(self) -> Any:
        assert self._pipe.poll(40), "no answer in 40 s"
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _run(pipe: Connection) -> None:
    asyncio.run(_serve(pipe))


async def _serve(pipe: Connection) -> None:
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    serving = await open_server("webrtc://127.0.0.1:0", Access(), lambda _line: None, buffer_bytes=1 << 16)
    client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    client.createDataChannel("media", negotiated=True, id=0, ordered=False, maxRetransmits=0)
    control = client.createDataChannel("control", negotiated=True, id=1)
    await client.setLocalDescription(await client.createOffer())
    offer = client.localDescription.sdp
    async with (
        aiohttp.ClientSession(serving.address.http) as http,
        http.post("/whep", data=offer, headers={"Content-Type": "application/sdp"}) as response,
    ):
        answer = await response.text()
    await client.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    transport = (await serving.next_receiver()).transport
    host, port = re.findall(r"a=candidate:\S+ 1 udp \S+ (\d+\.\S+) (\d+)", answer)[0]
    peer.MAX_REFUSED, server.MAX_RECEIVERS, server.CONNECT_S = 10**9, MAX_RECEIVERS, 0.05
    pipe.send((serving.address.port, offer, (host, int(port))))
    while (messages := await asyncio.to_thread(pipe.recv)) is not None:
        try:
            for message in [*messages, LAST]:
                control.send(message)
            async with asyncio.timeout(20):
                while await transport.receive() != LAST:
                    pass
            pipe.send(RuntimeError(str(failures)) if failures else serving.receivers)
        except Exception as error:  # noqa: BLE001, told to the test
            pipe.send(RuntimeError(repr(error)))
    await client.close()
    await serving.close()

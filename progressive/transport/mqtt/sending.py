"""The sender's side: publishes packets, lets the broker keep those of the base, hears the receivers' reports."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiomqtt import Client, Message

from progressive.errors import WireError
from progressive.transport.access import Access
from progressive.transport.mqtt.address import MqttAddress
from progressive.transport.mqtt.connection import Publication
from progressive.transport.mqtt.topics import Topics
from progressive.transport.mqtt.transport import MqttTransport
from progressive.transport.schemes import Say
from progressive.wire.packet import parse_header

KEEP_S = 3600
"""How long a broker that speaks MQTT 5 keeps a base whose sender was cut off before it could take it back."""

PASS_ON_S = 10
"""How long it tries to pass on a packet: what is later helps nobody."""


SWEEP_S = 2.0
"""How long a broker may take to tell what it keeps; what it has not told by then stays."""


class MqttSender(MqttTransport):
    """A stream's topics as a transport to all who subscribe.

    Before anything is published, the broker is told to forget what another sender left there when it was cut off.
    """

    def __init__(self, address: MqttAddress, access: Access, say: Say) -> None:
        self._topics = Topics(address.topic)
        self._kept: set[str] = set()
        self._base_blocks = 1
        self._left_behind: set[str] | None = None
        self._all_told = asyncio.Event()
        super().__init__(address, access, [self._topics.feedback], say, prepare=self._sweep)

    async def begin_stream(self, base_blocks: int) -> None:
        """What follows is a new stream, whose first so many blocks are its base: the broker forgets the one before."""
        await self._take_back()
        self._base_blocks = base_blocks

    async def send(self, data: bytes) -> None:
        try:
            topic, keep = self._topics.of(parse_header(data), self._base_blocks)
        except WireError as error:
            raise ValueError("only packets can be published") from error
        if keep:
            self._kept.add(topic)
        self.broker.publish(Publication(topic, data, retain=keep, expiry_s=KEEP_S if keep else PASS_ON_S))

    async def leave(self) -> None:
        """Closes once everything was sent and the broker was told to forget the base; takes a second at most."""
        await self._take_back()
        await self.broker.flush()
        self.close()
        await self.wait_closed()

    async def _sweep(self, client: Client) -> None:
        """Takes back the base of another stream, whatever of it this one would not replace.

        The broker tells what it keeps when asked to; that an empty message comes by after that says that it was all.
        """
        self._left_behind = left_behind = set[str]()
        await client.subscribe(self._topics.every_base)
        await client.publish(self._topics.base(0, 0), b"", retain=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_S):
                await self._all_told.wait()
        self._left_behind = None
        await client.unsubscribe(self._topics.every_base)
        for topic in sorted(left_behind):
            await client.publish(topic, b"", retain=True)

    def _take(self, message: Message) -> None:
        topic = str(message.topic)
        if topic == self._topics.feedback:
            super()._take(message)
        elif self._left_behind is not None and self._topics.is_base(topic):
            if message.payload:
                self._left_behind.add(topic)
            elif topic == self._topics.base(0, 0):
                self._all_told.set()

    async def _take_back(self) -> None:
        for topic in sorted(self._kept):
            await self.broker.publish_surely(Publication(topic, b"", retain=True))
        self._kept.clear()

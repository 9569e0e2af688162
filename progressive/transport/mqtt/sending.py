"""The sender's side: publishes packets, lets the broker keep those of the base, hears the receivers' reports."""

from __future__ import annotations

from aiomqtt import Message

from progressive.errors import WireError
from progressive.transport.access import Access
from progressive.transport.mqtt.address import MqttAddress
from progressive.transport.mqtt.connection import Publication
from progressive.transport.mqtt.survey import Survey
from progressive.transport.mqtt.topics import Topics
from progressive.transport.mqtt.transport import MqttTransport
from progressive.transport.schemes import Say
from progressive.wire.packet import MAX_DATAGRAM, parse_header

KEEP_S = 3600
"""How long a broker that speaks MQTT 5 keeps a base whose sender was cut off before it could take it back."""

PASS_ON_S = 10
"""How long it tries to pass on a packet: what is later helps nobody."""


class MqttSender(MqttTransport):
    """A stream's topics as a transport to all who subscribe.

    Before anything is published, the broker is told to forget what another sender left there when it was cut off, and
    tried with a message of full size: `open` raises UsageError if it passes on none.
    """

    def __init__(self, address: MqttAddress, access: Access, say: Say, *, packet_size: int = MAX_DATAGRAM) -> None:
        """As `MqttTransport`; `packet_size` is that of the largest datagram, in bytes."""
        self._topics = Topics(address.topic)
        self._kept: set[str] = set()
        self._base_blocks = 1
        self._survey = Survey(self._topics, packet_size)
        super().__init__(address, access, [self._topics.feedback], say, prepare=self._survey.run)

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

    def _take(self, message: Message) -> None:
        if str(message.topic) == self._topics.feedback:
            super()._take(message)
        else:
            self._survey.take(message)

    async def _take_back(self) -> None:
        for topic in sorted(self._kept):
            await self.broker.publish_surely(Publication(topic, b"", retain=True))
        self._kept.clear()

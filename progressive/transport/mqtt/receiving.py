"""The receiver's side: subscribes to a stream, first to what the broker keeps of it, and publishes reports."""

from __future__ import annotations

from dataclasses import replace

from aiomqtt import Message

from progressive.transport.access import Access
from progressive.transport.base import TransportClosed
from progressive.transport.inbox import Inbox
from progressive.transport.mqtt.address import LOOPBACK, MqttAddress, parse_mqtt_url
from progressive.transport.mqtt.connection import BrokerConnection, Publication
from progressive.transport.mqtt.login import login_for
from progressive.transport.mqtt.topics import Topics
from progressive.transport.schemes import Say
from progressive.wire.packet import MAX_DATAGRAM, Kept

REPORT_EXPIRY_S = 2
"""A report that a broker could not pass on for so long is outdated by the next ones."""


class MqttReceiver:
    """A stream's topics as a transport from whoever publishes there.

    Whoever the broker lets publish is heard: a key (`Access.key_file`) tells a sender from others.
    """

    def __init__(self, address: MqttAddress, access: Access, say: Say) -> None:
        """Raises UsageError if a file of `access` cannot be read. Needs a running event loop; `open` connects."""
        self.refused = 0
        self._address = address
        self._topics = Topics(address.topic)
        self._inbox: Inbox[bytes] = Inbox()
        # In this order: what the broker keeps is there before what goes by, and is not taken for something long past.
        subscriptions = [self._topics.every_base, self._topics.enhance]
        self._broker = BrokerConnection(address, login_for(address, access), subscriptions, self._take, say)

    async def open(self) -> None:
        """Connects, or keeps trying to; raises UsageError if the broker refuses us."""
        await self._broker.open(patient=True, on_failure=self._inbox.close)

    @property
    def place(self) -> str:
        return f"subscribed to {self._address}" if self._broker.connected else f"joining {self._address}"

    async def send(self, data: bytes) -> None:
        self._broker.publish(Publication(self._topics.feedback, data, expiry_s=REPORT_EXPIRY_S))

    async def receive(self) -> bytes:
        try:
            return await self._inbox.get()
        except TransportClosed:
            if self._broker.failure is not None:
                raise self._broker.failure from None
            raise

    def close(self) -> None:
        self._inbox.close()
        self._broker.close()

    async def wait_closed(self) -> None:
        await self._broker.wait_closed()

    def _take(self, message: Message) -> None:
        payload = message.payload
        if isinstance(payload, bytes | bytearray) and len(payload) <= MAX_DATAGRAM:
            if payload:  # nothing: the sender takes back what the broker kept
                self._inbox.put(Kept(payload) if message.retain else bytes(payload))
        else:
            self.refused += 1


async def join(url: str, access: Access, say: Say) -> MqttReceiver:
    """Opens what a receiver receives by; raises UsageError if that is impossible. A broker that is not there yet is
    waited for."""
    address = parse_mqtt_url(url)
    receiver = MqttReceiver(replace(address, host=address.host or LOOPBACK), access, say)
    try:
        await receiver.open()
    except BaseException:
        receiver.close()
        raise
    return receiver

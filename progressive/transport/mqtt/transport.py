"""What the two ends share: a connection to the broker and the datagrams that came over it."""

from __future__ import annotations

from collections.abc import Sequence

from aiomqtt import Message

from progressive.transport.access import Access
from progressive.transport.base import TransportClosed
from progressive.transport.inbox import Inbox
from progressive.transport.mqtt.address import MqttAddress
from progressive.transport.mqtt.connection import BrokerConnection, Prepare
from progressive.transport.mqtt.login import login_for
from progressive.transport.schemes import Say
from progressive.wire.packet import MAX_DATAGRAM, Kept


class MqttTransport:
    """Takes whatever of a datagram's size comes on its topics, from whoever the broker lets publish there; a key
    (`Access.key_file`) tells the other end from others.

    Fields:
        address: of the broker and the topic.
        refused: messages that are no datagrams.
    """

    def __init__(
        self,
        address: MqttAddress,
        access: Access,
        subscriptions: Sequence[str],
        say: Say,
        *,
        prepare: Prepare | None = None,
    ) -> None:
        """Raises UsageError if a file of `access` cannot be read. Needs a running event loop; `open` connects.

        `prepare` is done once, with the first connection, before anything goes over it.
        """
        self.address = address
        self.refused = 0
        self.broker = BrokerConnection(address, login_for(address, access), subscriptions, self._take, say, prepare)
        self._inbox: Inbox[bytes] = Inbox()

    async def open(self, *, patient: bool) -> None:
        """Connects; `patient`, it keeps trying to. Raises UsageError if the broker refuses us, or there is none."""
        await self.broker.open(patient=patient, on_failure=self._inbox.close)

    @property
    def dropped(self) -> int:
        """Datagrams that were not sent because the broker was not there or too slow."""
        return self.broker.dropped

    async def receive(self) -> bytes:
        """As every transport; raises RunError once the broker refuses us for good."""
        try:
            return await self._inbox.get()
        except TransportClosed:
            if self.broker.failure is not None:
                raise self.broker.failure from None
            raise

    def close(self) -> None:
        self._inbox.close()
        self.broker.close()

    async def wait_closed(self) -> None:
        await self.broker.wait_closed()

    def _take(self, message: Message) -> None:
        payload = message.payload
        if not isinstance(payload, bytes | bytearray) or len(payload) > MAX_DATAGRAM:
            self.refused += 1
        elif payload:  # nothing: a sender takes back what the broker kept
            self._inbox.put(Kept(payload) if message.retain else bytes(payload))

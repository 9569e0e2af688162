"""The receiver's side: subscribes to a stream, first to what the broker keeps of it, and publishes reports."""

from __future__ import annotations

from dataclasses import replace

from aiomqtt import Message

from progressive.errors import UsageError
from progressive.transport.access import Access
from progressive.transport.mqtt.address import LOOPBACK, MqttAddress, parse_mqtt_url
from progressive.transport.mqtt.connection import Publication
from progressive.transport.mqtt.topics import Topics
from progressive.transport.mqtt.transport import MqttTransport
from progressive.transport.schemes import Say

REPORT_EXPIRY_S = 2
"""A report that a broker could not pass on for so long is outdated by the next ones."""


class MqttReceiver(MqttTransport):
    """A stream's topics as a transport from its sender."""

    def __init__(self, address: MqttAddress, access: Access, say: Say) -> None:
        self._topics = Topics(address.topic)
        # In this order: what the broker keeps is there before what goes by, and is not taken for something long past.
        super().__init__(address, access, [self._topics.every_base, self._topics.enhance], say)

    @property
    def place(self) -> str:
        return f"subscribed to {self.address}" if self.broker.connected else f"joining {self.address}"

    @property
    def dropped_in_words(self) -> str:
        return f"dropped {self.refused} message{'s' * (self.refused != 1)} that are no packets" if self.refused else ""

    def finished(self) -> None:
        """A broker's topic is nobody's alone."""

    def _take(self, message: Message) -> None:
        """Takes what is of the stream's topics; amqtt tells every client that comes of other topics too."""
        if self._topics.is_senders(str(message.topic)):
            super()._take(message)

    async def send(self, data: bytes) -> None:
        self.broker.publish(Publication(self._topics.feedback, data, expiry_s=REPORT_EXPIRY_S))


async def join(url: str, access: Access, say: Say) -> MqttReceiver:
    """Opens what a receiver receives by; raises UsageError if that is impossible. A broker that is not there yet is
    waited for."""
    address = parse_mqtt_url(url)
    if address.port == 0:
        raise UsageError(f"{url!r} names port 0, where no broker is: give the port that the sender tells")
    receiver = MqttReceiver(replace(address, host=address.host or LOOPBACK), access, say)
    try:
        await receiver.open(patient=True)
    except BaseException:
        receiver.close()
        raise
    return receiver

"""The broker that a sender brings along, and what strangers may do to it."""

import asyncio
from pathlib import Path

import pytest
from amqtt.session import Session
from mqtt_brokers import broker

from progressive.errors import UsageError
from progressive.transport.access import Access
from progressive.transport.mqtt.address import parse_mqtt_url
from progressive.transport.mqtt.broker import MAX_READ, MAX_RETAINED, MAX_SUBSCRIPTIONS, EmbeddedBroker
from progressive.transport.mqtt.receiving import join
from progressive.transport.mqtt.sending import MqttSender
from progressive.wire.packet import Kind, Packet

ENHANCE = Packet(Kind.DATA, 1, 4, b"enhance", block=2, index=0, k=1, n=1).to_bytes()


def silent(_text: str) -> None:
    """Tells nobody."""


async def test_two_embedded_brokers_at_one_port(tmp_path: Path) -> None:
    async with broker("embedded", tmp_path) as port:
        with pytest.raises(
            UsageError, match=f"port {port} is in use, perhaps by a broker: --to mqtt://127.0.0.1:{port}"
        ):
            await EmbeddedBroker().start(port)


@pytest.mark.parametrize(
    "greeting",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x10\xff\xff\xff\xff\x7f" + bytes(20),
        bytes(100),
        b"\x10\x0c\0\4MQTT\5\2\0\0\0",
    ],
)
async def test_the_embedded_broker_outlives_strange_clients(greeting: bytes, tmp_path: Path) -> None:
    async with broker("embedded", tmp_path) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(greeting)
        url = f"mqtt://127.0.0.1:{port}/t"
        receiver = await join(url, Access(), silent)
        sender = MqttSender(parse_mqtt_url(url), Access(), silent)
        await sender.open(patient=False)
        await sender.send(ENHANCE)
        assert await asyncio.wait_for(receiver.receive(), 10) == ENHANCE
        writer.close()
        for end in (receiver, sender):
            end.close()
            await end.wait_closed()


async def test_the_embedded_broker_takes_no_large_message(tmp_path: Path) -> None:
    async with broker("embedded", tmp_path) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(bytes([0x10, 13]) + b"\0\4MQTT\4\2\0\0\0\1x")
        await reader.readexactly(4)
        writer.write(b"\x30\xff\xff\xff\x7f" + b"\0\1t" + bytes(2 * MAX_READ))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await asyncio.wait_for(reader.readexactly(1), 10)
        writer.close()


async def test_the_embedded_broker_keeps_nothing_without_a_bound() -> None:
    kept = EmbeddedBroker()._broker
    for number in range(3 * MAX_RETAINED):
        await kept.retain_message(None, f"topic/{number}", b"x")
    assert len(kept.retained_messages) == MAX_RETAINED
    await kept.retain_message(None, f"topic/{3 * MAX_RETAINED - 1}", b"")
    assert len(kept.retained_messages) == MAX_RETAINED - 1
    session = Session()
    session.client_id = "greedy"
    codes = [await kept.add_subscription((f"topic/{number}", 0), session) for number in range(100)]
    assert codes == [0] * MAX_SUBSCRIPTIONS + [0x80] * (100 - MAX_SUBSCRIPTIONS)


async def test_of_a_client_that_goes_the_embedded_broker_keeps_nothing(tmp_path: Path) -> None:
    running = EmbeddedBroker()
    port = await running.start(0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(bytes([0x10, 13]) + b"\0\4MQTT\4\0\0\0\0\1x")  # asks for a session that lasts
    await reader.readexactly(4)
    (session,) = (session for session, _ in running._broker.sessions.values())
    assert session.clean_session
    writer.close()
    await running.stop()

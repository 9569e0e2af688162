import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progressive.errors import UsageError
from progressive.transport import peer
from progressive.transport.base import TransportClosed
from progressive.transport.udp import UdpAddress, open_udp_receiver, open_udp_sender, parse_udp_url
from progressive.wire.control import Busy, parse_message
from progressive.wire.envelope import PlainEnvelope
from progressive.wire.inner_parity import add_inner_parity
from progressive.wire.packet import Kind, Packet, parse_packet

ANY_PORT = UdpAddress("127.0.0.1", 0)
PACKET = Packet(Kind.DATA, 1, 0, b"payload", block=0, index=0, k=1, n=1).to_bytes()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("udp://127.0.0.1:9000", UdpAddress("127.0.0.1", 9000)),
        ("udp://example.org:1", UdpAddress("example.org", 1)),
        ("udp://[::1]:65535", UdpAddress("::1", 65535)),
        ("udp://0.0.0.0:0", UdpAddress("0.0.0.0", 0)),
    ],
)
def test_addresses_parse_and_print(url, address):
    assert parse_udp_url(url) == address
    assert str(address) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("127.0.0.1:9000", "not a"),
        ("http://127.0.0.1:9000", "not a UDP address"),
        ("udp://127.0.0.1", "lacks a port"),
        ("udp://:9000", "lacks a host"),
        ("udp://host:70000", "0 to 65535"),
        ("udp://host:port", "not an address"),
        ("udp://[::1:9000", "not an address"),
        ("udp://host:1/path", "more than a host and a port"),
        ("udp://me@host:1", "more than a host and a port"),
        ("", "not a UDP address"),
    ],
)
def test_other_addresses_are_refused_with_the_form(url, said):
    with pytest.raises(UsageError, match=said) as error:
        parse_udp_url(url)
    assert "udp://HOST:PORT" in str(error.value)


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_usage_error(text):
    with suppress(UsageError):
        assert parse_udp_url("udp://" + text).host


async def test_the_receiver_answers_the_sender_of_the_first_valid_packet():
    receiver = await open_udp_receiver(ANY_PORT)
    first, second = [await open_udp_sender(receiver.local_address) for _ in range(2)]
    await receiver.send(b"to nobody")
    await second.send(b"nonsense")
    assert await receiver.receive() == b"nonsense"
    await first.send(PACKET)
    assert await receiver.receive() == PACKET
    await receiver.send(b"answer")
    assert await first.receive() == b"answer"
    for transport in (first, second, receiver):
        transport.close()


async def test_a_stranger_takes_over_only_once_the_sender_has_gone(monkeypatch):
    receiver = await open_udp_receiver(ANY_PORT)
    first, second = [await open_udp_sender(receiver.local_address) for _ in range(2)]
    await first.send(PACKET)
    await receiver.receive()
    await second.send(PACKET)
    await first.send(PACKET)
    assert await receiver.receive() == PACKET
    await receiver.send(b"still yours")
    assert await first.receive() == b"still yours"
    assert receiver.strangers == 1
    monkeypatch.setattr(peer, "PEER_HOLD_S", 0.0)
    monkeypatch.setattr(peer, "LONGEST_HOLD_S", 0.0)
    await second.send(PACKET)
    await receiver.receive()
    await receiver.send(b"yours now")
    assert await second.receive() == b"yours now"
    for transport in (first, second, receiver):
        transport.close()


@pytest.mark.parametrize(
    ("wildcard", "contacted"), [("0.0.0.0", "127.0.0.2"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::", "127.0.0.3")]
)
async def test_a_receiver_at_all_addresses_answers_from_the_one_that_was_written_to(wildcard, contacted):
    receiver = await open_udp_receiver(UdpAddress(wildcard, 0))
    sender = await open_udp_sender(UdpAddress(contacted, receiver.local_address.port))
    await sender.send(PACKET)
    assert await asyncio.wait_for(receiver.receive(), 5) == PACKET
    await receiver.send(b"answer")
    assert await asyncio.wait_for(sender.receive(), 5) == b"answer"
    with pytest.raises(UsageError, match="in use"):
        await open_udp_receiver(receiver.local_address)
    sender.close()
    receiver.close()
    receiver.close()
    with pytest.raises(TransportClosed):
        await receiver.receive()


async def test_a_sender_that_is_turned_away_is_told_so_and_the_other_end_says_it():
    said = []
    receiver = await open_udp_receiver(ANY_PORT, say=said.append)
    first, second = [await open_udp_sender(receiver.local_address) for _ in range(2)]
    stranger = Packet(Kind.DATA, 2, 0, bytes(60), block=0, index=0, k=1, n=1).to_bytes()
    await first.send(PACKET)
    await receiver.receive()
    for _ in range(5):
        await second.send(stranger)
    await first.send(PACKET)
    assert await receiver.receive() == PACKET
    answer = parse_packet(await asyncio.wait_for(second.receive(), 5))
    assert (answer.kind, parse_message(answer.payload)) == (Kind.FEEDBACK, Busy(stream=2))
    assert said == [f"another sender, at {second.local_address}, is turned away while this one is at it"]
    assert receiver.dropped_in_words == "dropped 5 datagrams of others than the sender"
    for transport in (first, second, receiver):
        transport.close()


@pytest.mark.parametrize("damage", [b"", b"!!"])
async def test_packets_with_inner_parity_are_valid_even_if_damaged(damage):
    receiver = await open_udp_receiver(ANY_PORT, PlainEnvelope(10))
    sender = await open_udp_sender(receiver.local_address)
    await sender.send(damage + add_inner_parity(PACKET, 10)[len(damage) :])
    await receiver.receive()
    await receiver.send(b"answer")
    assert await sender.receive() == b"answer"
    sender.close()
    receiver.close()


async def test_a_port_in_use_is_a_usage_error():
    receiver = await open_udp_receiver(ANY_PORT)
    with pytest.raises(UsageError, match="in use"):
        await open_udp_receiver(receiver.local_address)
    receiver.close()


async def test_an_address_of_another_machine_cannot_be_listened_at():
    with pytest.raises(UsageError, match="cannot be listened at"):
        await open_udp_receiver(UdpAddress("192.0.2.1", 9000))


async def test_a_sender_needs_a_port():
    with pytest.raises(UsageError, match="no port"):
        await open_udp_sender(ANY_PORT)


async def test_refusals_by_a_port_without_listener_are_no_crash():
    receiver = await open_udp_receiver(ANY_PORT)
    address = receiver.local_address
    receiver.close()
    await asyncio.sleep(0)
    sender = await open_udp_sender(address)
    async with asyncio.timeout(5):
        while not sender.refusals:
            await sender.send(PACKET)
            await asyncio.sleep(0)
    await sender.send(PACKET)
    sender.close()


async def test_closing_ends_the_wait_and_sending_does_nothing():
    sender = await open_udp_sender(UdpAddress("127.0.0.1", 9))
    sender.close()
    sender.close()
    await sender.send(PACKET)
    with pytest.raises(TransportClosed):
        await sender.receive()


async def test_what_no_packet_can_be_takes_no_memory():
    receiver = await open_udp_receiver(ANY_PORT)
    sender = await open_udp_sender(receiver.local_address)
    await sender.send(bytes(60_000))
    await sender.send(PACKET)
    assert await asyncio.wait_for(receiver.receive(), 5) == PACKET
    sender.close()
    receiver.close()

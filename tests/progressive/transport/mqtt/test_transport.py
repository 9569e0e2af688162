"""Both ends over real brokers on this machine."""

import asyncio
import contextlib
import struct
import subprocess
from pathlib import Path

import pytest
from mqtt_brokers import KINDS, Mosquitto, broker, free_port, make_certificates, needs_mosquitto

from progressive.errors import RunError, UsageError
from progressive.transport.access import Access
from progressive.transport.mqtt import connection
from progressive.transport.mqtt.address import parse_mqtt_url
from progressive.transport.mqtt.broker import EmbeddedBroker
from progressive.transport.mqtt.login import login_for
from progressive.transport.mqtt.receiving import MqttReceiver, join
from progressive.transport.mqtt.sending import MqttSender
from progressive.wire.control import End
from progressive.wire.packet import MAX_DATAGRAM, OVERHEAD, Kept, Kind, Packet

BASE = [Packet(Kind.DATA, 1, i, b"base", block=0, index=i, k=2, n=3).to_bytes() for i in range(3)]
SECOND_BASE = Packet(Kind.DATA, 1, 3, b"base", block=1, index=0, k=1, n=1).to_bytes()
ENHANCE = Packet(Kind.DATA, 1, 4, b"enhance", block=2, index=0, k=1, n=1).to_bytes()
END = Packet(Kind.CONTROL, 1, 5, End(stream=1, more=False).to_bytes()).to_bytes()
REPORT = Packet(Kind.FEEDBACK, 1, 0, b"report").to_bytes()
STREAM = [*BASE, SECOND_BASE, ENHANCE, END]


def silent(_text: str) -> None:
    """Tells nobody."""


async def sender_at(url: str, access: Access | None = None, *, packet_size: int = MAX_DATAGRAM) -> MqttSender:
    sender = MqttSender(parse_mqtt_url(url), access or Access(), silent, packet_size=packet_size)
    await sender.open(patient=False)
    return sender


async def arrivals(receiver: MqttReceiver, count: int) -> list[bytes]:
    return [await asyncio.wait_for(receiver.receive(), 10) for _ in range(count)]


async def nothing_comes(receiver: MqttReceiver) -> bool:
    try:
        await asyncio.wait_for(receiver.receive(), 0.2)
    except TimeoutError:
        return True
    return False


async def all_arrivals(receiver: MqttReceiver) -> set[bytes]:
    """What comes until nothing more does; amqtt tells of what it keeps more than once."""
    got = set(await arrivals(receiver, 1))
    while True:
        try:
            got.add(await asyncio.wait_for(receiver.receive(), 0.3))
        except TimeoutError:
            return got


async def close(*ends: MqttReceiver | MqttSender) -> None:
    for end in ends:
        end.close()
        await end.wait_closed()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_stream_goes_to_all_and_its_base_is_kept_for_those_who_come_later(kind: str, tmp_path: Path) -> None:
    async with broker(kind, tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}/cam/1"
        sender = await sender_at(url)
        there = await join(url, Access(), silent)
        await sender.begin_stream(base_blocks=2)
        for datagram in STREAM:
            await sender.send(datagram)
        got = await arrivals(there, len(STREAM))
        assert got == STREAM
        assert not any(isinstance(datagram, Kept) for datagram in got)

        late = await join(url, Access(), silent)
        kept = await arrivals(late, 3)
        assert sorted(kept) == sorted([*BASE[:2], SECOND_BASE])
        assert all(isinstance(datagram, Kept) for datagram in kept)
        await late.send(REPORT)
        assert await asyncio.wait_for(sender.receive(), 10) == REPORT

        await sender.begin_stream(base_blocks=1)
        await sender.send(ENHANCE)
        assert await arrivals(there, 1) == [ENHANCE]
        latest = await join(url, Access(), silent)
        assert await nothing_comes(latest)
        await close(there, late, latest)
        await sender.leave()


@pytest.mark.parametrize("kind", KINDS)
async def test_who_leaves_takes_the_base_back(kind: str, tmp_path: Path) -> None:
    async with broker(kind, tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}/t"
        sender = await sender_at(url)
        await sender.send(BASE[0])
        await sender.leave()
        receiver = await join(url, Access(), silent)
        assert await nothing_comes(receiver)
        await close(receiver)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sender_that_starts_takes_back_what_another_left_behind(kind: str, tmp_path: Path) -> None:
    async with broker(kind, tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}/cam/1"
        killed, elsewhere = await sender_at(url), await sender_at(f"mqtt://127.0.0.1:{port}/cam")
        await killed.begin_stream(base_blocks=2)
        for datagram in STREAM:
            await killed.send(datagram)
        await elsewhere.send(BASE[0])
        await killed.broker.flush()
        await elsewhere.broker.flush()
        await close(killed, elsewhere)

        sender = await sender_at(url)
        newer = Packet(Kind.DATA, 2, 0, b"newer", block=0, index=0, k=1, n=1).to_bytes()
        await sender.send(newer)
        await sender.send(ENHANCE)
        await sender.broker.flush()
        late, other = await join(url, Access(), silent), await join(f"mqtt://127.0.0.1:{port}/cam", Access(), silent)
        assert await all_arrivals(late) == {newer}
        assert await all_arrivals(other) == {BASE[0]}
        await late.send(REPORT)
        assert await asyncio.wait_for(sender.receive(), 10) == REPORT
        await close(late, other)
        await sender.leave()


@needs_mosquitto
async def test_a_sender_that_may_not_see_what_is_kept_publishes_all_the_same(tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text("topic write t/#\ntopic read t/feedback\n")
    mosquitto = Mosquitto(tmp_path, "allow_anonymous true", f"acl_file {rights}", "user root")
    await asyncio.to_thread(mosquitto.start)
    sender = await asyncio.wait_for(sender_at(f"mqtt://127.0.0.1:{mosquitto.port}/t"), 10)
    await sender.send(BASE[0])
    await sender.broker.flush()
    assert sender.broker.connected
    await sender.leave()
    mosquitto.stop()


@needs_mosquitto
@pytest.mark.parametrize("limit", ["max_packet_size 600", "message_size_limit 500"])
async def test_a_broker_with_a_limit_is_told_at_once_with_a_size_that_fits(limit: str, tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path, "allow_anonymous true", limit)
    await asyncio.to_thread(mosquitto.start)
    url = f"mqtt://127.0.0.1:{mosquitto.port}/cam/1"
    with pytest.raises(UsageError, match=r"takes no packets of 1100 bytes.*use --packet-size [0-9]+$") as refused:
        await sender_at(url, packet_size=1100)
    fits = int(str(refused.value).split()[-1])
    assert fits >= 500
    sender, receiver = await sender_at(url, packet_size=fits), await join(url, Access(), silent)
    full = Packet(Kind.DATA, 1, 0, bytes(fits - OVERHEAD), block=0, index=0, k=1, n=1).to_bytes()
    await sender.send(full)
    assert await all_arrivals(receiver) == {full}
    await close(receiver)
    await sender.leave()
    mosquitto.stop()


async def test_receivers_that_are_there_notice_nothing_of_what_a_sender_tries(tmp_path: Path) -> None:
    async with broker("embedded", tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}/t"
        receiver = await join(url, Access(), silent)
        sender = await sender_at(url)
        assert await nothing_comes(receiver)
        assert receiver.refused == 0
        await close(receiver, sender)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_no_datagram_can_be_is_dropped(kind: str, tmp_path: Path) -> None:
    async with broker(kind, tmp_path) as port:
        url = f"mqtt://127.0.0.1:{port}/t"
        receiver = await join(url, Access(), silent)
        sender = await sender_at(url)
        await publish_raw(port, "t/enhance", bytes(MAX_DATAGRAM + 1))
        await publish_raw(port, "t/base/0/0", b"")
        await publish_raw(port, "t/enhance", b"\xff" * MAX_DATAGRAM)
        assert await arrivals(receiver, 1) == [b"\xff" * MAX_DATAGRAM]
        await publish_raw(port, "t/feedback", bytes(MAX_DATAGRAM + 1))
        await publish_raw(port, "t/feedback", b"small")
        assert await asyncio.wait_for(sender.receive(), 10) == b"small"
        assert receiver.refused == sender.refused == 1
        await close(receiver, sender)


async def publish_raw(port: int, topic: str, payload: bytes) -> None:
    """A client of nothing but sockets."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(bytes([0x10, 13]) + b"\0\4MQTT\4\2\0\0\0\1x")
    assert await reader.readexactly(4) == bytes([0x20, 2, 0, 0])
    body = struct.pack("!H", len(topic)) + topic.encode() + payload
    length = bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) if len(body) > 127 else bytes([len(body)])
    writer.write(b"\x30" + length + body + b"\xc0\0")
    await reader.readexactly(2)  # the answer to the ping behind the message
    writer.write(b"\xe0\0")
    writer.close()
    await writer.wait_closed()


@needs_mosquitto
async def test_a_stock_subscriber_sees_the_topics_of_the_format(tmp_path: Path) -> None:
    async with broker("mosquitto", tmp_path) as port:
        sender = await sender_at(f"mqtt://127.0.0.1:{port}/cam/1")
        await sender.begin_stream(base_blocks=2)
        for datagram in (*BASE, SECOND_BASE):
            await sender.send(datagram)
        await sender.broker.flush()
        command = ["mosquitto_sub", "-V", "5", "-p", str(port), "-t", "cam/1/#", "-F", "%t %r %q %E %x", "-C", "6"]
        stock = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert stock.stdout is not None
        lines = [await asyncio.wait_for(stock.stdout.readline(), 10) for _ in range(3)]
        receiver = await join(f"mqtt://127.0.0.1:{port}/cam/1", Access(), silent)
        await receiver.send(REPORT)
        lines.append(await asyncio.wait_for(stock.stdout.readline(), 10))
        for datagram in (ENHANCE, END):
            await sender.send(datagram)
        lines += [await asyncio.wait_for(stock.stdout.readline(), 10) for _ in range(2)]
        await stock.wait()
        fields = [line.decode().split() for line in lines]
        assert sorted(field[:3] for field in fields[:3]) == [
            ["cam/1/base/0/0", "1", "0"],
            ["cam/1/base/0/1", "1", "0"],
            ["cam/1/base/1/0", "1", "0"],
        ]
        assert all(3590 <= int(field[3]) <= 3600 for field in fields[:3])
        assert fields[3][:3] == ["cam/1/feedback", "0", "0"]
        assert fields[4][:3] == fields[5][:3] == ["cam/1/enhance", "0", "0"]
        assert [bytes.fromhex(fields[i][4]) for i in (3, 4, 5)] == [REPORT, ENHANCE, END]
        await close(receiver)
        await sender.leave()


@needs_mosquitto
async def test_a_broker_that_dies_and_comes_back(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path, "allow_anonymous true")
    await asyncio.to_thread(mosquitto.start)
    url = f"mqtt://127.0.0.1:{mosquitto.port}/t"
    said: asyncio.Queue[str] = asyncio.Queue()
    receiver = await join(url, Access(), said.put_nowait)
    sender_lost = asyncio.Event()
    sender = MqttSender(parse_mqtt_url(url), Access(), lambda _text: sender_lost.set())
    await sender.open(patient=False)
    mosquitto.stop()
    assert await asyncio.wait_for(said.get(), 10) == f"the connection to {url} was lost: connecting again"
    await asyncio.wait_for(sender_lost.wait(), 10)
    for _ in range(3):
        await sender.send(BASE[0])
    assert sender.dropped == 3
    await asyncio.to_thread(mosquitto.start)
    await asyncio.wait_for(asyncio.gather(sender.broker.wait_connected(), receiver.broker.wait_connected()), 10)
    await sender.send(BASE[0])
    assert await arrivals(receiver, 1) == [BASE[0]]
    rest = [said.get_nowait() for _ in range(said.qsize())]
    assert rest[-1] == f"connected to {url}"
    assert rest[:-1] in ([], [f"no broker answers at {url}: trying again"])
    await close(receiver, sender)
    mosquitto.stop()


async def test_a_receiver_waits_for_its_broker_and_a_sender_does_not() -> None:
    port = free_port()
    url = f"mqtt://127.0.0.1:{port}/t"
    with pytest.raises(UsageError, match=f"no broker answers at {url}"):
        await sender_at(url)
    said: list[str] = []
    with_topics: list[bool] = []
    receiver = await join(url, Access(), said.append)
    subscribe = receiver.broker._subscribe
    receiver.broker._subscribe = lambda *own: with_topics.append(len(said) > 1) or subscribe(*own)
    assert receiver.place == f"joining {url}"
    assert said == [f"no broker answers at {url}: trying again"]
    embedded = EmbeddedBroker()
    await embedded.start(port)
    await asyncio.wait_for(receiver.broker.wait_connected(), 10)
    assert said[1:] == [f"connected to {url}"]
    assert all(with_topics), "it is said before what the broker keeps comes"
    assert receiver.place == f"subscribed to {url}"
    await close(receiver)
    await embedded.stop()


@needs_mosquitto
async def test_passwords(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, own = tmp_path / "passwords", tmp_path / "own"
    await asyncio.to_thread(subprocess.run, ["mosquitto_passwd", "-b", "-c", passwords, "me", "pass word"], check=True)
    mosquitto = Mosquitto(tmp_path, f"password_file {passwords}", "user root")
    await asyncio.to_thread(mosquitto.start)
    url = f"mqtt://me@127.0.0.1:{mosquitto.port}/t"
    own.write_text("pass word\n")
    await close(await join(url, Access(password_file=own), silent))
    monkeypatch.setenv("PROGRESSIVE_MQTT_PASSWORD", "pass word")
    await close(await sender_at(url))
    monkeypatch.setenv("PROGRESSIVE_MQTT_PASSWORD", "wrong")
    for attempt in (join(url, Access(), silent), sender_at(url)):
        with pytest.raises(UsageError, match="does not let this user in|does not take this user") as refusal:
            await attempt
        assert "wrong" not in str(refusal.value)
        assert "check name and password" in str(refusal.value)
    with pytest.raises(UsageError, match="nobody without a name: write USER@ before the host"):
        await join(f"mqtt://127.0.0.1:{mosquitto.port}/t", Access(), silent)
    own.write_text("also wrong")
    passwords.write_text("")
    mosquitto.stop()
    mosquitto_again = await join(url, Access(), silent)
    await asyncio.to_thread(mosquitto.start)
    with pytest.raises(RunError, match="does not let this user in|does not take this user"):
        await asyncio.wait_for(mosquitto_again.receive(), 10)
    mosquitto.stop()


@needs_mosquitto
async def test_the_certificate_of_a_broker_is_checked(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path / "right")
    stranger = make_certificates(tmp_path / "wrong")
    mosquitto = Mosquitto(tmp_path, *certificates.lines(), "user root")
    await asyncio.to_thread(mosquitto.start)
    url = f"mqtts://127.0.0.1:{mosquitto.port}/t"
    receiver = await join(url, Access(ca_file=certificates.ca), silent)
    sender = await sender_at(url, Access(ca_file=certificates.ca))
    await sender.send(ENHANCE)
    assert await arrivals(receiver, 1) == [ENHANCE]
    for access in (Access(), Access(ca_file=stranger.ca)):
        with pytest.raises(UsageError, match="cannot be trusted .*: if it is the right one, give --ca-file"):
            await join(url, access, silent)
    await close(receiver, sender)
    mosquitto.stop()


async def test_a_broker_without_a_certificate_is_told(tmp_path: Path) -> None:
    async with broker("embedded", tmp_path) as port:
        with pytest.raises(UsageError, match="does not speak TLS"):
            await join(f"mqtts://127.0.0.1:{port}/t", Access(), silent)


async def test_a_message_of_256_megabytes_is_not_waited_for() -> None:
    hung_up = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(9)
        writer.write(bytes([0x20, 3, 0, 0, 0]) + b"\x30\xff\xff\xff\x7f\0\1t" + bytes(100_000))
        with contextlib.suppress(ConnectionError):
            while await reader.read(1 << 16):
                pass
        hung_up.set()
        writer.close()

    said: list[str] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        receiver = await join(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}/t", Access(), said.append)
        await asyncio.wait_for(hung_up.wait(), 10)
        await close(receiver)
    assert any("a message of 268435455 bytes: hung up" in line for line in said)


def test_what_a_login_needs(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    with pytest.raises(UsageError, match="--password-file needs a user"):
        login_for(parse_mqtt_url("mqtt://h/t"), Access(password_file=secret))
    with pytest.raises(UsageError, match="--ca-file is for encrypted connections"):
        login_for(parse_mqtt_url("mqtt://h/t"), Access(ca_file=secret))
    with pytest.raises(UsageError, match="holds no certificates"):
        login_for(parse_mqtt_url("mqtts://h/t"), Access(ca_file=secret))
    with pytest.raises(UsageError, match="cannot read"):
        login_for(parse_mqtt_url("mqtts://h/t"), Access(ca_file=tmp_path / "none"))
    secret.write_text("hidden\n")
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(UsageError, match="empty is empty: write the password into it"):
        login_for(parse_mqtt_url("mqtt://me@h/t"), Access(password_file=empty))
    login = login_for(parse_mqtt_url("mqtt://me@h/t"), Access(password_file=secret))
    assert login.password == "hidden"
    assert "hidden" not in repr(login)


async def test_a_broker_that_is_silent_is_not_one_of_version_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "TIMEOUT_S", 0.1)
    versions: asyncio.Queue[int] = asyncio.Queue()
    listening = set[asyncio.Task[None] | None]()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listening.add(asyncio.current_task())
        try:
            versions.put_nowait((await reader.readexactly(9))[8])
            await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        receiver = await join(f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}/t", Access(), silent)
        assert [await asyncio.wait_for(versions.get(), 10) for _ in range(3)] == [5, 4, 5]
        await close(receiver)
        for task in filter(None, listening):
            task.cancel()
        await asyncio.gather(*filter(None, listening), return_exceptions=True)

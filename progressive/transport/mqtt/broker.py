"""A broker in this process, for who has none: MQTT 3.1.1 on this machine alone, by amqtt."""

from __future__ import annotations

import asyncio
import logging
from errno import EADDRINUSE
from typing import Any

from amqtt.adapters import StreamReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.session import Session

from progressive.errors import UsageError
from progressive.transport.descriptors import accepted_at_once, affordable, bear_shortage
from progressive.transport.mqtt.address import LOOPBACK

MAX_CLIENTS = 1024
"""As many receivers as a sender follows."""

MAX_READ = 4096
"""Bytes of one MQTT packet from a client: a report and its topic take a few hundred, a packet of a stream 1,500."""

MAX_BACKLOG = 1 << 18
"""Bytes that may wait for a client; one that has not read them for the half minute that they take at 50 kbit/s has
gone."""

MAX_SUBSCRIPTIONS = 16
"""Of one client: ours have one or two."""

MAX_RETAINED = 1024
"""Topics with a message that is kept, the latest ones: more than the base of any photo has packets."""

REFUSED = 0x80
"""SUBACK of MQTT 3.1.1: failure."""

CONNECT_S = 5.0
CONNECT = b"\x10"
NAME = b"\0\4MQTT"
VERSION_5 = 5
NOT_THIS_VERSION = bytes([0x20, 2, 0, 1])
"""CONNACK of MQTT 3.1.1: unacceptable protocol version."""

_LISTENER = "default"


class EmbeddedBroker:
    """Between `start` and `stop` clients on this machine can connect; nothing is kept beyond."""

    def __init__(self) -> None:
        logging.getLogger("amqtt").setLevel(logging.CRITICAL)  # tells of every client that goes without a word
        listeners = {_LISTENER: {"type": "external", "max_connections": MAX_CLIENTS}}
        plugins = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        self._clients = affordable(MAX_CLIENTS)
        self._broker = _BoundedBroker({"listeners": listeners, "plugins": plugins})
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Starts listening at this port, or one that the system chooses for 0; returns it.

        Raises UsageError if the port is in use or not ours to take.
        """
        try:
            self._server = await asyncio.start_server(self._take_in, LOOPBACK, port, backlog=accepted_at_once())
        except OSError as error:
            if error.errno == EADDRINUSE:
                raise UsageError(
                    f"port {port} is in use, perhaps by a broker: --to mqtt://{LOOPBACK}:{port} uses that one, "
                    f"mqtt://:PORT starts one at another port"
                ) from None
            raise UsageError(f"no broker can be started at port {port}: {error.strerror or error}") from None
        bear_shortage(asyncio.get_running_loop())
        await self._broker.start()
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._broker.shutdown()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    def _take_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._serving) >= self._clients:
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                head = await _head_of_connect(reader)
            if head[:1] != CONNECT or NAME not in head:
                return
            if head[-1] == VERSION_5:
                writer.write(NOT_THIS_VERSION)  # amqtt misreads such a client and lets it wait
            else:
                await self._broker.external_connected(_CappedReader(reader, head), _ImpatientWriter(writer), _LISTENER)
        except (asyncio.IncompleteReadError, OSError, TimeoutError):
            pass  # a client that says nothing, or goes
        finally:
            writer.close()


class _BoundedBroker(Broker):  # type: ignore[misc]
    """Keeps nothing without a bound, and of a client that has gone nothing at all."""

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        topics = sum(any(each is session for each, _ in of_topic) for of_topic in self.subscriptions.values())
        if topics >= MAX_SUBSCRIPTIONS:
            return REFUSED
        code: int = await super().add_subscription(subscription, session)
        return code

    async def retain_message(
        self,
        source_session: Session | None,
        topic_name: str | None,
        data: bytes | bytearray | None,
        qos: int | None = None,
    ) -> None:
        self.retained_messages.pop(topic_name, None)
        if data:
            await super().retain_message(source_session, topic_name, data, qos)
        while len(self.retained_messages) > MAX_RETAINED:
            del self.retained_messages[next(iter(self.retained_messages))]

    async def _initialize_client_session(self, *arguments: Any) -> tuple[Any, Session]:
        handler, session = await super()._initialize_client_session(*arguments)
        session.clean_session = True
        return handler, session


async def _head_of_connect(reader: asyncio.StreamReader) -> bytes:
    """What a client says first: type, length in 1 to 4 bytes, name, and the version of MQTT that it speaks."""
    head = await reader.readexactly(2)
    while head[-1] & 0x80 and len(head) < 5:
        head += await reader.readexactly(1)
    return head + await reader.readexactly(len(NAME) + 1)


class _CappedReader(StreamReaderAdapter):  # type: ignore[misc]
    """Reads nothing that no client of ours would send."""

    def __init__(self, reader: asyncio.StreamReader, head: bytes) -> None:
        """`head`: what was read already."""
        super().__init__(reader)
        self._head = head

    async def read(self, n: int = -1) -> bytes:
        if n > MAX_READ:
            return b""
        head, self._head = self._head[:n], self._head[n:]
        return head + await super().read(n - len(head)) if len(head) < n else head


class _ImpatientWriter(StreamWriterAdapter):  # type: ignore[misc]
    """Never waits for a client: nobody else's packets do then, and one that does not read is disconnected."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        super().__init__(writer)
        self._transport = writer.transport

    def write(self, data: bytes) -> None:
        if self._transport.get_write_buffer_size() > MAX_BACKLOG:
            self._transport.abort()
        super().write(data)

    async def drain(self) -> None:
        """Done already, as far as the broker is concerned."""

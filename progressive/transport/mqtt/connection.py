"""A connection to a broker that is kept up: made again, with growing pauses, whenever it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiomqtt import Client, Message, MqttError, ProtocolVersion
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from progressive.errors import RunError, UsageError
from progressive.transport.mqtt.address import LOOPBACK, MqttAddress
from progressive.transport.mqtt.login import Login
from progressive.transport.pauses import growing_pauses
from progressive.transport.schemes import Say
from progressive.wire.packet import MAX_DATAGRAM

MAX_MESSAGE = MAX_DATAGRAM + 1024
"""Bytes of an MQTT packet of ours: a datagram, its topic and properties. MQTT 5 brokers pass on no larger ones."""

MAX_TAKEN = 1 << 16
"""Bytes of an MQTT packet beyond which the connection is closed: MQTT has them up to 256 MB, which a client would keep
until the last one came."""

MAX_WAITING = 128
"""Messages that may wait to be sent; on a connection that is slower, further ones are dropped rather than late."""

TURN_S = 1.0
"""The longest wait for a turn: a hundred messages at 1 Mbit/s."""

TIMEOUT_S = 5.0
KEEPALIVE_S = 15
"""A broker that is silent for one and a half times this long has gone."""

FAILURES_IN_WORDS = {
    "Bad user name or password": "does not take this user and password",
    "Not authorized": "does not let this user in",
    "Banned": "has banned this user",
}
NO_USER_IN_WORDS = "lets in nobody without a name: write USER@ before the host, and give --password-file"
"""What no further try can mend, by the names that paho gives the broker's reasons."""

NOT_THIS_VERSION = "Unsupported protocol version"
FIRST_FAILURE = 0x80
"""Reason codes from here on are failures."""


Prepare = Callable[[Client, int | None], Awaitable[None]]
"""Something to do over a connection before anything else; told how many bytes of a packet the broker takes, if it said
so. May raise MqttError, and RunError for what no further try can mend."""


class NoBroker(Exception):  # noqa: N818, a state of the other end
    """No connection for now; the text says why, and another try may go better."""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message to publish; `expiry_s` is how long a broker that speaks MQTT 5 keeps it, None for ever."""

    topic: str
    payload: bytes
    retain: bool = False
    expiry_s: int | None = None


class BrokerConnection:
    """Publishes, and passes on what comes on the topics subscribed to. What cannot be sent now is dropped: later it
    would be of no use."""

    def __init__(
        self,
        address: MqttAddress,
        login: Login,
        subscriptions: Sequence[str],
        take: Callable[[Message], None],
        say: Say,
        prepare: Prepare | None = None,
    ) -> None:
        """
        Args:
            address: of the broker.
            login: what it is shown.
            subscriptions: topics, subscribed to one after the other.
            take: called with each message that comes; must not wait.
            say: takes a line when the connection is lost or comes back.
            prepare: done once, with the first connection.
        """
        logging.getLogger("mqtt").setLevel(logging.CRITICAL)  # whatever aiomqtt warns of is said here, in one line
        self.dropped = 0
        self.failure: RunError | None = None
        self._address, self._login, self._subscriptions = address, login, subscriptions
        self._take, self._say, self._prepare = take, say, prepare
        self._outbox: asyncio.Queue[Publication] = asyncio.Queue(MAX_WAITING)
        self._up = asyncio.Event()
        self._version = ProtocolVersion.V5
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False
        self._on_failure: Callable[[], None] = lambda: None

    async def open(self, *, patient: bool, on_failure: Callable[[], None] = lambda: None) -> None:
        """Connects, and stays connected until `close`.

        Args:
            patient: a broker that is not there yet is waited for, in the background.
            on_failure: called should the broker later refuse us for good; `failure` tells why.

        Raises:
            UsageError: the broker refuses us; with `patient` false also if there is none.
        """
        self._on_failure = on_failure
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep(first, patient=patient))
        await asyncio.wait([first, self._keeping], return_when=asyncio.FIRST_COMPLETED)
        if not first.done():
            await self._keeping  # fails with what went wrong
        try:
            await first
        except RunError as error:
            raise UsageError(str(error)) from None
        except NoBroker as error:
            raise UsageError(f"{error}: start one there, or leave the host out for one in here") from None

    @property
    def connected(self) -> bool:
        return self._up.is_set()

    async def wait_connected(self) -> None:
        """Waits until there is a connection."""
        await self._up.wait()

    def publish(self, publication: Publication) -> None:
        """Sends a message, or drops it if there is no broker to send it to or too many wait already."""
        try:
            if self.connected:
                self._outbox.put_nowait(publication)
                return
        except asyncio.QueueFull:
            pass
        self.dropped += 1

    async def publish_surely(self, publication: Publication) -> None:
        """Sends a message, and waits for its turn if it must; drops it only if there is no broker that takes it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_S):
                if self.connected:
                    await self._outbox.put(publication)
                    return
        self.dropped += 1

    async def flush(self) -> None:
        """Waits until everything is sent, for a second at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(TURN_S):
                if self.connected:
                    await self._outbox.join()

    def close(self) -> None:
        self._closed = True
        if self._keeping is not None:
            self._keeping.cancel()

    async def wait_closed(self) -> None:
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    async def _keep(self, first: asyncio.Future[None], *, patient: bool) -> None:
        pauses, told = growing_pauses(), ""
        try:
            # Leaving a connection may fail, which takes the place of the cancellation.
            while not self._closed:
                try:
                    await self._connect_once(first)
                    if self._closed:
                        return
                    pauses, told = growing_pauses(), ""
                    self._say(f"the connection to {self._address} was lost: connecting again")
                except NoBroker as missing:
                    if not (first.done() or patient):
                        first.set_exception(missing)
                        return
                    if str(missing) != told:
                        told = str(missing)
                        self._say(f"{told}: trying again")
                    if not first.done():
                        first.set_result(None)
                await asyncio.sleep(next(pauses))
        except RunError as error:
            self.failure = error
            if not first.done():
                first.set_exception(error)
            self._on_failure()

    async def _connect_once(self, first: asyncio.Future[None]) -> None:
        """Serves one connection until it is lost.

        Raises NoBroker if it does not come about, RunError if it never will.
        """
        served = False
        if self._login.tls is not None:
            await self._check_certificate(self._login.tls, started=first.done())
        try:
            client = self._client()
            self._bound(client)
            async with client:
                if first.done():  # said before what then comes at once
                    self._say(f"connected to {self._address}")
                for topic in self._subscriptions:
                    await self._subscribe(client, topic)
                if self._prepare is not None:
                    await self._prepare(client, client.largest)
                    self._prepare = None
                if not first.done():
                    first.set_result(None)
                served = True
                await self._serve(client)
        except MqttError as error:
            if served:
                return
            if self._version is ProtocolVersion.V5 and _may_lack_version_5(error):
                await self._connect_by_version_3(first)
                return
            raise self._refusal(error) or self._in_words(error.__context__, started=first.done()) from None

    async def _connect_by_version_3(self, first: asyncio.Future[None]) -> None:
        """As `_connect_once`, for a broker that seems to lack version 5; one that is not there may have it later."""
        self._version = ProtocolVersion.V311
        try:
            await self._connect_once(first)
        except NoBroker:
            self._version = ProtocolVersion.V5
            raise

    async def _check_certificate(self, tls: ssl.SSLContext, *, started: bool) -> None:
        """Looks at the broker's certificate before paho does, which leaves its socket open if it does not like it."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                host = self._address.host or LOOPBACK
                _, writer = await asyncio.open_connection(host, self._address.port, ssl=tls)
        except (OSError, UnicodeError) as error:
            raise self._in_words(error, started=started) from None
        writer.transport.abort()

    def _bound(self, client: Client) -> None:
        """Lets no packet in that is larger than anybody needs, whoever published it."""
        paho = client._client  # noqa: SLF001, neither library has a limit of its own
        receive = paho._sock_recv  # noqa: SLF001

        def receive_little(size: int) -> bytes:
            if size > MAX_TAKEN:
                self._say(f"the broker of {self._address} sends a message of {size} bytes: hung up")
                raise ConnectionAbortedError
            return receive(size)

        paho._sock_recv = receive_little  # type: ignore[method-assign, assignment]  # noqa: SLF001

    async def _subscribe(self, client: Client, topic: str) -> None:
        for code in await client.subscribe(topic):
            if (code.value if isinstance(code, ReasonCode) else code) >= FIRST_FAILURE:
                raise RunError(f"the broker of {self._address} does not let this user subscribe to {topic}")

    async def _serve(self, client: Client) -> None:
        """Until the connection is lost, which raises MqttError."""
        self._outbox = asyncio.Queue(MAX_WAITING)  # what waited for the connection before is late
        self._up.set()
        tasks = [asyncio.create_task(part(client)) for part in (self._publish_all, _until_lost)]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._up.clear()
            for task in tasks:
                task.cancel()
            failures = [r for r in await asyncio.gather(*tasks, return_exceptions=True) if isinstance(r, Exception)]
        raise failures[0] if failures else MqttError("lost")

    async def _publish_all(self, client: Client) -> None:
        while self.connected:  # publishing may swallow a cancellation that comes as it succeeds
            publication = await self._outbox.get()
            properties = None
            if publication.expiry_s is not None and self._version is ProtocolVersion.V5:
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
                properties.MessageExpiryInterval = publication.expiry_s
            await client.publish(
                publication.topic, publication.payload, retain=publication.retain, properties=properties
            )
            self._outbox.task_done()

    def _refusal(self, error: MqttError) -> RunError | NoBroker | None:
        """What the broker said if it said something; RunError if no further try can mend it."""
        if not isinstance(error, MqttConnectError):
            return None
        name = _name_of(error)
        if name in FAILURES_IN_WORDS:
            known = self._address.user is not None
            words = f"{FAILURES_IN_WORDS[name]}: check name and password" if known else NO_USER_IN_WORDS
            return RunError(f"the broker of {self._address} {words}")
        return NoBroker(f"the broker of {self._address} refuses connections ({name.lower()})")

    def _in_words(self, cause: BaseException | None, *, started: bool) -> RunError | NoBroker:
        """Why there is no connection; RunError if no further try can mend it."""
        address = self._address
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = cause.verify_message or "unknown reason"
            return RunError(
                f"the certificate of {address} cannot be trusted ({why}): if it is the right one, give --ca-file"
            )
        hangs_up = isinstance(cause, ConnectionResetError | ConnectionAbortedError) and self._login.tls and not started
        if isinstance(cause, ssl.SSLError) or hangs_up:
            return RunError(f"{address} does not speak TLS: use mqtt:// if the broker has no certificate")
        if isinstance(cause, socket.gaierror | UnicodeError) and not started:
            return RunError(f"{address.host!r} is not a known host: check the address {address}")
        return NoBroker(f"no broker answers at {address}")

    def _client(self) -> _Client:
        address, version = self._address, self._version
        properties = None
        if version is ProtocolVersion.V5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.MaximumPacketSize = MAX_MESSAGE
        return _Client(
            address.host or LOOPBACK,
            address.port,
            username=address.user,
            password=self._login.password,
            protocol=version,
            queue_type=partial(_Arrivals, self._take),  # type: ignore[arg-type]
            timeout=TIMEOUT_S,
            keepalive=KEEPALIVE_S,
            properties=properties,
            tls_context=self._login.tls,
            socket_options=((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),),
        )


class _Client(Client):
    """Remembers how large a packet the broker takes, in bytes; None if it set no limit."""

    largest: int | None = None

    def _on_connect(
        self,
        client: Any,
        userdata: Any,
        flags: Any,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        self.largest = getattr(properties, "MaximumPacketSize", None)
        super()._on_connect(client, userdata, flags, reason_code, properties)


class _Arrivals(asyncio.Queue[Message]):
    """Hands messages over as they come, without the tasks that waiting for each would take."""

    def __init__(self, take: Callable[[Message], None], maxsize: int = 0) -> None:
        super().__init__(maxsize)
        self._take = take

    def put_nowait(self, item: Message) -> None:
        self._take(item)


async def _until_lost(client: Client) -> None:
    async for _ in client.messages:
        pass  # none comes: `_Arrivals` keeps none


def _may_lack_version_5(error: MqttError) -> bool:
    """Whether this is how a broker answers that speaks only MQTT 3.1.1, by saying so or by saying nothing."""
    if isinstance(error, MqttConnectError):
        return _name_of(error) == NOT_THIS_VERSION
    return error.__context__ is None or isinstance(error.__context__, TimeoutError)


def _name_of(error: MqttConnectError) -> str:
    return error.rc.getName() if isinstance(error.rc, ReasonCode) else str(error)

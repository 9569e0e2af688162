"""What a sender finds out before it publishes: what another one left behind, and how large a message may be."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiomqtt import Client, Message, MqttError

from progressive.errors import RunError
from progressive.transport.mqtt.topics import Topics
from progressive.wire.packet import MAX_SOURCES

ANSWER_S = 2.0
"""How long a broker may take to pass on what it keeps and what it is sent; it may also let us see neither."""

MOST_BASE_BLOCKS = 999
"""No photo has a base of so many blocks."""

MOST_KEPT = 4096
"""Messages that are taken back: more than the largest base has packets, several times."""

SMALL = 16
"""Bytes of a message that every broker passes on."""


class Survey:
    """One look at the topics of the base, which a sender sees for so long only.

        subscribe ─> what the broker keeps ─> a message of full size ─> an empty one: all of it has come by

    Mosquitto drops messages beyond its `message_size_limit` without a word, so it is tried.
    """

    def __init__(self, topics: Topics, packet_size: int) -> None:
        """`packet_size`: of the largest message, in bytes."""
        self._topics, self._packet_size = topics, packet_size
        self._kept: set[str] = set()
        self._passed_on = 0
        self._all_told = asyncio.Event()

    def take(self, message: Message) -> None:
        """Takes what comes on topics that are not subscribed to later."""
        topic, payload = str(message.topic), message.payload
        if topic == self._topics.trial and isinstance(payload, bytes):
            self._passed_on = len(payload)
        elif topic == self._topics.base(0, 0) and not payload:
            self._all_told.set()
        elif topic.startswith(self._topics.base_prefix) and message.retain and len(self._kept) < MOST_KEPT:
            self._kept.add(topic)

    async def run(self, client: Client, largest: int | None) -> None:
        """Takes back all that is kept; raises RunError if the broker passes on no message of full size.

        `largest`: bytes of an MQTT packet that the broker said it takes; None if it set no limit.
        """
        if largest is not None and largest < self._packet_size + self._overhead:
            raise RunError(too_large(self._packet_size, largest - self._overhead))
        try:
            await client.subscribe(self._topics.every_base)
            fits = await self._passes_on(client, self._packet_size) or await self._passes_on(client, self._packet_size)
            limit = self._packet_size if fits else await self._limit(client)
            await client.unsubscribe(self._topics.every_base)
        except MqttError as error:
            if not self._all_told.is_set():
                raise RunError(too_large(self._packet_size, None)) from error
            raise
        for topic in sorted(self._kept):
            await client.publish(topic, b"", retain=True)
        if limit < self._packet_size:
            raise RunError(too_large(self._packet_size, limit))

    @property
    def _overhead(self) -> int:
        """Bytes of an MQTT packet around one of ours: type, length, topic, and in MQTT 5 a time to live."""
        topic = max(self._topics.enhance, self._topics.base(MOST_BASE_BLOCKS, MAX_SOURCES), key=len)
        return 3 + 2 + len(topic.encode()) + 6

    async def _passes_on(self, client: Client, size: int) -> bool:
        """Whether a message of so many bytes comes back; also True if nothing does, which tells nothing."""
        self._passed_on = 0
        self._all_told.clear()
        await client.publish(self._topics.trial, bytes(size))
        await client.publish(self._topics.base(0, 0), b"", retain=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                await self._all_told.wait()
        return self._passed_on == size or not self._all_told.is_set()

    async def _limit(self, client: Client) -> int:
        """The size of the largest message that is passed on; that of ours if it is not for their size that none is."""
        if not await self._passes_on(client, SMALL):
            return self._packet_size
        fits, too_many = SMALL, self._packet_size
        while too_many - fits > 1:
            size = (fits + too_many) // 2
            fits, too_many = (size, too_many) if await self._passes_on(client, size) else (fits, size)
        return fits


def too_large(packet_size: int, limit: int | None) -> str:
    """Why packets of this size cannot be published, and what to do; `limit` is the size of those that can, if known."""
    if limit is None:
        return f"the broker hangs up at packets of {packet_size} bytes: use a smaller --packet-size"
    if limit <= 0:
        return "the broker takes no messages of any use"
    return f"the broker takes no packets of {packet_size} bytes, {limit} at most: use --packet-size {limit}"

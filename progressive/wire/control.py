"""Messages between the two sessions: msgpack maps, checked strictly, inside control and feedback packets."""

from __future__ import annotations

from typing import Annotated, Literal

import msgpack
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from progressive.errors import WireError

MAX_MESSAGE = 256
"""Largest message, in bytes: the longest of ours takes under 250."""

MAX_RECENT = 32
"""Most bytes of a report's `recent`: 256 datagrams, two seconds at 1 Mbit/s, so that a lost report hides none."""

Count = Annotated[int, Field(ge=0, le=0xFFFFFFFF)]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    def to_bytes(self) -> bytes:
        packed: bytes = msgpack.packb(self.model_dump(exclude_none=True))
        return packed


class Report(_Message):
    """What a receiver saw of a stream so far.

    Fields:
        stream: identifier of the stream.
        received: distinct datagrams that arrived.
        expected: datagrams sent, as far as the sequence numbers tell, since the receiver began to listen.
        loss: share of the expected that did not arrive, 0..1.
        burst: mean number of datagrams lost in a row; 0 if none was lost.
        segments: distinct segments received or restored.
        complete: all segments that the stream header announces are there.
        ended: the sender's `End` was heard.
        receiver: identifier that the receiver chose, to tell those of a broadcast apart.
        burst_s: mean time for which nothing came while datagrams were lost in a row, in seconds; 0 if none was lost.
        layers: blocks that are whole, counted from block 0 up to the first that is not.
        latest: highest sequence number that arrived.
        recent: which of the datagrams up to `latest` arrived, a bit each: the highest bit of the first byte stands for
            `latest`, the bit below it for the one before, and so on; empty if that is not told.
        arrived_ms: when `latest` arrived, by the receiver's clock, in milliseconds modulo 2^32; None if not told.
        held_ms: how long before the report that was, in milliseconds; None if not told.
    """

    type: Literal["report"] = "report"
    stream: Count
    received: Count
    expected: Count
    loss: Annotated[float, Field(ge=0, le=1)]
    burst: Annotated[float, Field(ge=0, le=0xFFFFFFFF)]
    segments: Annotated[int, Field(ge=0, le=0xFFFF)]
    complete: bool
    ended: bool
    receiver: Count = 0
    burst_s: Annotated[float, Field(ge=0, le=0xFFFFFFFF)] = 0.0
    layers: Annotated[int, Field(ge=0, le=0xFFFF)] = 0
    latest: Count = 0
    recent: Annotated[bytes, Field(max_length=MAX_RECENT)] = b""
    arrived_ms: Count | None = None
    held_ms: Count | None = None


class End(_Message):
    """The sender has sent what it will send of this stream.

    Fields:
        stream: identifier of the stream.
        more: another stream follows.
        repeats: the stream is sent again and again: who has all of it may go, who lacks something may stay.
    """

    type: Literal["end"] = "end"
    stream: Count
    more: bool
    repeats: bool = False


class Ask(_Message):
    """The sender asks for reports that tell when packets arrived; who does not know this message drops it.

    Fields:
        stream: identifier of the stream.
    """

    type: Literal["ask"] = "ask"
    stream: Count


class Busy(_Message):
    """A receiver is there, and another sender is at it.

    Fields:
        stream: identifier of the stream that was turned away.
    """

    type: Literal["busy"] = "busy"
    stream: Count


Message = Report | End | Ask | Busy

_messages: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="type")])


def parse_message(payload: bytes) -> Message:
    """Parses one message; raises WireError for anything else."""
    if len(payload) > MAX_MESSAGE:
        raise WireError(f"control message of {len(payload)} bytes, the limit is {MAX_MESSAGE}")
    try:
        fields = msgpack.unpackb(
            payload, max_map_len=16, max_str_len=32, max_array_len=0, max_bin_len=MAX_RECENT, max_ext_len=0
        )
        return _messages.validate_python(fields)
    except ValidationError as error:
        raise WireError(f"control message has wrong fields: {error.errors()[0]['msg']}") from error
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise WireError("control message is not a msgpack map") from error

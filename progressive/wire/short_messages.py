"""Control messages in few bytes: flags, then numbers in groups of seven bits, lowest first."""

from __future__ import annotations

from progressive.errors import WireError
from progressive.wire.control import MAX_RECENT, Ask, Busy, End, Report, parse_message
from progressive.wire.packet import Kind
from progressive.wire.varint import read_varint, varint

MORE, REPEATS, ASK = 1, 2, 4
COMPLETE, ENDED, BUSY, TIMED = 1, 2, 4, 8

BURST_STEPS = 16
"""Steps of a mean burst, a packet."""

SHORTEST_RECENT = 16
REPORT_SIZE = 34
"""A report is shortened to about this many bytes, so that it fits the smallest packets, by what is `recent`."""

_RECEIVER = 4


def short_message(payload: bytes) -> bytes:
    """The short form of a message that our end made."""
    message = parse_message(payload)
    if isinstance(message, End):
        return bytes([MORE * message.more | REPEATS * message.repeats])
    if isinstance(message, Ask):
        return bytes([ASK])
    if isinstance(message, Busy):
        return bytes([BUSY])
    times = () if message.arrived_ms is None or message.held_ms is None else (message.arrived_ms, message.held_ms)
    flags = COMPLETE * message.complete | ENDED * message.ended | TIMED * bool(times)
    counts = (message.received, message.expected, message.segments, message.layers, message.latest)
    steps = (int(message.burst * BURST_STEPS), int(message.burst_s * 1000))
    head = bytes([flags]) + message.receiver.to_bytes(_RECEIVER, "big")
    head += b"".join(varint(number) for number in (*counts, *steps, *times))
    return head + message.recent[: max(SHORTEST_RECENT, REPORT_SIZE - len(head))]


def long_message(data: bytes, stream: int, kind: Kind) -> bytes:
    """The message that a short form stands for, about this stream; raises WireError for anything else."""
    if kind is Kind.CONTROL:
        if data == bytes([ASK]):
            return Ask(stream=stream).to_bytes()
        if len(data) != 1 or data[0] & ~(MORE | REPEATS):
            raise WireError("short control message is no end, and no question")
        return End(stream=stream, more=bool(data[0] & MORE), repeats=bool(data[0] & REPEATS)).to_bytes()
    if data == bytes([BUSY]):
        return Busy(stream=stream).to_bytes()
    if len(data) < 1 + _RECEIVER or data[0] & ~(COMPLETE | ENDED | TIMED):
        raise WireError("short feedback is no report")
    position, numbers = 1 + _RECEIVER, []
    timed = bool(data[0] & TIMED)
    for _ in range(9 if timed else 7):
        number, position = read_varint(data, position)
        numbers.append(number)
    received, expected, segments, layers, latest, burst, burst_ms = numbers[:7]
    arrived_ms, held_ms = numbers[7:] if timed else (None, None)
    recent = data[position:]
    if received > expected or max(segments, layers) > 0xFFFF or len(recent) > MAX_RECENT:
        raise WireError("short report claims what cannot be")
    return Report(
        stream=stream,
        received=received,
        expected=expected,
        loss=1 - received / expected if expected else 0.0,
        burst=burst / BURST_STEPS,
        segments=segments,
        complete=bool(data[0] & COMPLETE),
        ended=bool(data[0] & ENDED),
        receiver=int.from_bytes(data[1 : 1 + _RECEIVER], "big"),
        burst_s=burst_ms / 1000,
        layers=layers,
        latest=latest,
        recent=recent,
        arrived_ms=arrived_ms,
        held_ms=held_ms,
    ).to_bytes()

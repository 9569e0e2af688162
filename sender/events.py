"""What a sender tells of: datagrams that left, reports that came, plans made anew, and the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from progressive.loss_model import LossModel

PacketKind = Literal["source", "parity", "repair", "control"]


@dataclass(frozen=True, slots=True)
class PacketSent:
    """A datagram of `size` bytes left; `block` is None for control messages. A repair is a source sent again."""

    sequence: int
    kind: PacketKind
    block: int | None
    size: int


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """A receiver reported: share of datagrams lost, mean number lost in a row, distinct segments it has, the mean time
    of a burst in seconds, whole blocks from the base on, and which receiver it is."""

    loss: float
    burst: float
    segments: int
    burst_s: float = 0.0
    layers: int = 0
    receiver: int = 0


@dataclass(frozen=True, slots=True)
class Replanned:
    """The rest of the stream, so many packets, was planned anew for these losses."""

    losses: LossModel
    packets: int


@dataclass(frozen=True, slots=True)
class RateFollowed:
    """A report came where the rate is followed: the rate from now on, for how long packets waited on the link, and the
    rate of the link, once some have."""

    rate_bps: float
    queue_s: float
    link_bps: float | None = None


@dataclass(frozen=True, slots=True)
class CannotOpen:
    """Somebody answers who does not seal as this end does, and nobody else has yet; `advice` is for a person."""

    advice: str


@dataclass(frozen=True, slots=True)
class ReceiverBusy:
    """A receiver is there, but another sender is at it, and nobody else has reported yet."""


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """Nothing more will be sent.

    `reason`: "complete", the receiver has every segment; "deadline", all that fits the time was sent; "silence", the
    same, and no receiver was ever heard although one was expected.
    """

    reason: Literal["complete", "deadline", "silence"]


SenderEvent = PacketSent | ReportReceived | RateFollowed | Replanned | CannotOpen | ReceiverBusy | StreamFinished

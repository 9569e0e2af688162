"""What a sender can be told."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.packing.packetizer import max_segment_payload, max_short_payload
from progressive.suggestions import use_one_of
from progressive.units import format_bandwidth, format_percent, format_time
from progressive.wire.inner_parity import MAX_INNER_PARITY
from progressive.wire.packet import MAX_DATAGRAM, OVERHEAD, SEALED_OVERHEAD
from progressive.wire.protection import POLICIES
from progressive.wire.protection.plan import DESIGN_LOSS
from progressive.wire.short import SHORT_OVERHEAD
from sender.airtime import Airtime

IP_UDP_HEADERS = 28

SHORT_BELOW = 256
"""Packets smaller than this have short headers, unless that is asked for otherwise: larger ones gain little by it."""

Headers = Literal["auto", "short", "long"]
FOLLOWING = frozenset({"auto", "none"})
"""Policies whose plans go on with more of a stream than was planned at first."""

LEAST_QUEUE_DELAY_S, MOST_QUEUE_DELAY_S = 0.02, 10.0
"""Less is lost in what clocks and packets vary by; with more nothing is followed within a photo."""

BURST_S = 0.01
"""What may go at once, in time, if that is more than a packet: event loops wake up some milliseconds late, and at high
rates packets are due more often than that."""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """Settings of one stream; UsageError for values that make no sense.

    Fields:
        bandwidth_bps: bits per second that the datagrams may take, headers and parity included; where the rate is
            followed, what a photo is prepared and first planned for.
        packet_size: largest datagram in bytes, all included but the IP and UDP headers.
        deadline_s: seconds from the start after which no more of the stream is sent.
        protection: name of a policy of `progressive.wire.protection`.
        redundancy: most parity bytes / source bytes, which "equal" spends all of; None lets the policy choose and fill
            the time until the deadline.
        count_ip: IP and UDP headers, 28 bytes a datagram, count as bandwidth too.
        feedback: a receiver answers; without it the sender listens to nobody.
        inner_parity: bytes of parity inside each datagram, for links that deliver damaged ones; the receiver must be
            set to the same number.
        sealed: packets are sealed with a shared key, which takes a few bytes of each.
        expect: the losses to plan for until a receiver has reported some.
        serve: for a broadcast, the share of its receivers to plan for, above 0 to 1; None for a single receiver.
        duty_cycle: share of any hour that datagrams may take at the bandwidth, above 0 to 1; None for all of it.
        headers: "short" ones leave out what a manifest has told; "auto" takes them for small packets; older receivers
            know only "long" ones.
        repair: packets that a receiver reports missing are sent again, in a broadcast those of the base; None for yes
            with a single receiver that answers, no otherwise.
        follow: the rate is not known; it follows what the receiver reports.
        queue_delay_s: the longest that packets may wait on the link behind others of the stream where the rate is
            followed, in seconds.
    """

    bandwidth_bps: float
    packet_size: int = 1100
    deadline_s: float = 10.0
    protection: str = "auto"
    redundancy: float | None = None
    count_ip: bool = False
    feedback: bool = True
    inner_parity: int = 0
    sealed: bool = False
    expect: LossModel = DESIGN_LOSS
    serve: float | None = None
    repair: bool | None = None
    headers: Headers = "auto"
    duty_cycle: float | None = None
    follow: bool = False
    queue_delay_s: float = 0.25

    def __post_init__(self) -> None:
        if not (isfinite(self.bandwidth_bps) and self.bandwidth_bps > 0):
            raise UsageError(f"a bandwidth of {self.bandwidth_bps:g} bit/s carries nothing: use more than 0")
        if not (isfinite(self.deadline_s) and self.deadline_s > 0):
            raise UsageError(f"a deadline of {self.deadline_s:g} s leaves no time: use more than 0")
        if self.packet_size > MAX_DATAGRAM:
            raise UsageError(f"packets of {self.packet_size} bytes would be fragmented: use {MAX_DATAGRAM} or fewer")
        if not 0 <= self.inner_parity <= MAX_INNER_PARITY:
            raise UsageError(f"inner parity of {self.inner_parity} bytes: use 0 to {MAX_INNER_PARITY}")
        if self.duty_cycle is not None and not 0 < self.duty_cycle <= 1:
            raise UsageError(f"a duty cycle of {format_percent(self.duty_cycle)} cannot be kept: use above 0% to 100%")
        if self.headers == "short" and (self.sealed or self.protection == "pet"):
            why = "sealed packets" if self.sealed else "packets of pet"
            raise UsageError(f"{why} have long headers: leave --headers short out")
        self._check_protection()

    def _check_protection(self) -> None:
        if self.protection not in POLICIES:
            raise UsageError(f"unknown protection {self.protection!r}: {use_one_of(self.protection, POLICIES)}")
        if self.redundancy is not None and not 0 <= self.redundancy <= 255:
            raise UsageError(f"a redundancy of {self.redundancy:g} parity bytes per source byte: use 0 to 255")
        if self.protection == "none" and self.redundancy:
            raise UsageError("no protection and a redundancy contradict each other: use --protection auto or equal")
        if self.protection == "pet" and self.repair:
            raise UsageError("--repair sends packets of the base again, and with pet none is: leave --repair out")
        if self.serve is not None and not 0 < self.serve <= 1:
            raise UsageError(f"a share of {self.serve:.4g} of the receivers cannot be served: use above 0% to 100%")
        if not self.feedback and (self.repair or self.serve is not None):
            raise UsageError("--repair and --serve need receivers that answer: leave --one-way out")
        if self.follow:
            self._check_follow()

    def _check_follow(self) -> None:
        if not self.feedback:
            raise UsageError("--bandwidth auto follows what a receiver answers: leave --one-way out, or give a rate")
        if self.duty_cycle is not None:
            raise UsageError("--duty-cycle reckons time on the air by the rate: give a --bandwidth")
        if self.serve is not None:
            raise UsageError("--bandwidth auto follows one receiver, and --serve has one stream for many: give a rate")
        if self.protection not in FOLLOWING or self.redundancy is not None:
            raise UsageError("--bandwidth auto plans parity as the rate moves: use --protection auto or none alone")
        if not LEAST_QUEUE_DELAY_S <= self.queue_delay_s <= MOST_QUEUE_DELAY_S:
            raise UsageError(
                f"a queueing delay of {format_time(self.queue_delay_s)} cannot be kept: "
                f"use {format_time(LEAST_QUEUE_DELAY_S)} to {format_time(MOST_QUEUE_DELAY_S)}"
            )

    def bandwidth_in_words(self) -> str:
        """Such as `50 kbit/s`."""
        if not self.follow:
            return format_bandwidth(self.bandwidth_bps)
        return f"auto, packets wait {format_time(self.queue_delay_s)} at most"

    @property
    def grows(self) -> bool:
        """Whether more of the stream is sent than was planned, if fewer packets are lost or the rate is higher."""
        return self.follow or (self.feedback and self.protection in FOLLOWING and self.redundancy is None)

    @property
    def repairs(self) -> bool:
        """Whether packets are sent again."""
        if self.protection == "pet":
            return False  # any further packet serves as well
        return (self.feedback and self.serve is None) if self.repair is None else self.repair

    @property
    def answers(self) -> bool:
        """Whether losses are answered when a single receiver reports them, rather than all in advance by parity."""
        return self.repairs and self.serve is None

    @property
    def short(self) -> bool:
        """Whether packets have short headers."""
        if self.headers != "auto":
            return self.headers == "short"
        return self.packet_size < SHORT_BELOW and not self.sealed and self.protection != "pet"

    @property
    def overhead(self) -> int:
        """Bytes of a packet that are not payload."""
        return SHORT_OVERHEAD if self.short else SEALED_OVERHEAD if self.sealed else OVERHEAD

    def max_segment_payload(self, smallest: int = 1, *, placed: bool = False) -> int:
        """Of a segment, in bytes, `placed` if it is of a part of a frame; raises UsageError if packets are too small
        for the `smallest` that a codec makes."""
        if self.short:
            return max_short_payload(self.packet_size, self.inner_parity, smallest=smallest)
        return max_segment_payload(
            self.packet_size, self.inner_parity, smallest=smallest, placed=placed, sealed=self.sealed
        )

    @property
    def payload_size(self) -> int:
        """Most payload bytes of a packet."""
        return self.packet_size - self.inner_parity - self.overhead

    @property
    def burst_bytes(self) -> int:
        """Most bytes that go at once."""
        return self.burst_bytes_at(self.bandwidth_bps)

    def burst_bytes_at(self, rate_bps: float) -> int:
        """The same at another rate."""
        return max(self.wire_size(self.packet_size), int(BURST_S * rate_bps / 8))

    @property
    def budget_bytes(self) -> int:
        """Bytes that the bandwidth, and the duty cycle, pay for until the deadline."""
        return int(self.bandwidth_bps * self.airtime_s / 8)

    @property
    def airtime_s(self) -> float:
        """Seconds on the air until the deadline, of a sender that was silent for an hour."""
        airtime = self.new_airtime()
        return self.deadline_s if airtime is None else airtime.available_s(0.0, self.deadline_s)

    def new_airtime(self) -> Airtime | None:
        """What keeps the duty cycle; None without one."""
        return None if self.duty_cycle is None else Airtime(self.duty_cycle)

    def airtime_of(self, wire_bytes: float) -> float:
        """Seconds that so many bytes are on the air."""
        return wire_bytes * 8 / self.bandwidth_bps

    def wire_size(self, datagram_size: int) -> int:
        """Bytes that a datagram of this size is counted as."""
        return datagram_size + (IP_UDP_HEADERS if self.count_ip else 0)

    def wire_size_of_payload(self, payload_size: int) -> int:
        """Bytes that a packet with this payload is counted as."""
        return self.wire_size(self.overhead + payload_size + self.inner_parity)

"""Measured links: when they could deliver packets (Mahimahi), or how fast they were (throughput logs)."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from progressive.errors import UsageError
from progressive.files import read_bytes
from progressive.units import format_bandwidth, format_time

OPPORTUNITY_BYTES = 1500
"""What one line of a Mahimahi trace lets pass."""

LATEST_S, MOST_MEGABITS = 1e12, 1e9
"""Of a throughput log: its times may count from any epoch, but beyond this numbers do not tell milliseconds apart."""

MAX_TRACE_BYTES = 64_000_000
"""The measured traces in use are 1 kB to 1 MB; an hour at 100 Mbit/s is 250 MB, which is not read by mistake."""


@dataclass(frozen=True, slots=True)
class DeliveryOpportunities:
    """A Mahimahi trace: at each of these times, up to 1,500 bytes of what waits pass the link; it repeats for ever.

    Source: Netravali et al., Mahimahi, USENIX ATC 2015, mm-link.

    Fields:
        name: of the file.
        at_ms: times from the trace's start, [n], never falling; the last one is the trace's length.
    """

    name: str
    at_ms: NDArray[np.int64] = field(repr=False, compare=False)

    @property
    def length_s(self) -> float:
        return float(self.at_ms[-1]) / 1000

    @property
    def mean_bps(self) -> float:
        return len(self.at_ms) * OPPORTUNITY_BYTES * 8 / self.length_s

    def at_or_after(self, time_s: float) -> int:
        """Number of the first opportunity that is not before this time; numbers go on over repetitions."""
        period = int(self.at_ms[-1])
        time_ms = time_s * 1000
        rounds = max(0, math.ceil(time_ms / period) - 1)
        return rounds * len(self.at_ms) + int(np.searchsorted(self.at_ms, time_ms - rounds * period - 1e-6))

    def time_s(self, number: int) -> float:
        """When an opportunity comes."""
        rounds, index = divmod(number, len(self.at_ms))
        return (rounds * int(self.at_ms[-1]) + int(self.at_ms[index])) / 1000

    def rate_bps(self, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean rate between each two neighbouring times, [n + 1] -> [n]."""
        numbers = np.array([self.at_or_after(edge) for edge in edges_s])
        return np.diff(numbers) * (OPPORTUNITY_BYTES * 8) / np.diff(edges_s)

    def __str__(self) -> str:
        return _in_words(self)


@dataclass(frozen=True, slots=True)
class RateOverTime:
    """A throughput log: piecewise constant rates; it repeats for ever.

    Fields:
        name: of the file.
        edges_s: where the pieces begin and end, [n + 1], strictly rising from 0; the last one is the log's length.
        rates_bps: rate of each piece, [n], 0 or more, not all 0.
    """

    name: str
    edges_s: NDArray[np.float64] = field(repr=False, compare=False)
    rates_bps: NDArray[np.float64] = field(repr=False, compare=False)
    _bits: NDArray[np.float64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        bits = np.concatenate([[0.0], np.cumsum(np.diff(self.edges_s) * self.rates_bps)])
        object.__setattr__(self, "_bits", bits)

    @property
    def length_s(self) -> float:
        return float(self.edges_s[-1])

    @property
    def mean_bps(self) -> float:
        return float(self._bits[-1]) / self.length_s

    def finish_s(self, begin_s: float, bits: float) -> float:
        """When so many bits that begin to be sent at `begin_s` have been sent."""
        rounds, position_s = divmod(begin_s, self.length_s)
        wanted = float(np.interp(position_s, self.edges_s, self._bits)) + bits
        further, wanted = divmod(wanted, float(self._bits[-1]))
        if wanted == 0.0 and further:
            further, wanted = further - 1, float(self._bits[-1])
        piece = max(int(np.searchsorted(self._bits, wanted)), 1) - 1
        rate = float(self.rates_bps[piece])
        into_piece_s = (wanted - float(self._bits[piece])) / rate if rate else 0.0
        return max(begin_s, (rounds + further) * self.length_s + float(self.edges_s[piece]) + into_piece_s)

    def rate_bps(self, edges_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean rate between each two neighbouring times, [n + 1] -> [n]."""
        rounds, positions_s = np.divmod(edges_s, self.length_s)
        bits = rounds * self._bits[-1] + np.interp(positions_s, self.edges_s, self._bits)
        rates: NDArray[np.float64] = np.diff(bits) / np.diff(edges_s)
        return rates

    def __str__(self) -> str:
        return _in_words(self)


Trace = DeliveryOpportunities | RateOverTime


def read_trace(path: Path) -> Trace:
    """The trace in a file; raises UsageError that names the line at fault.

    One whole number a line is a Mahimahi trace: milliseconds, each the opportunity to deliver 1,500 bytes. Two numbers
    a line are a throughput log: seconds, and the Mbit/s measured since the line before; the first line says when the
    log starts. A path that does not exist is looked for in the folder that PROGRESSIVE_DATA names.
    """
    found = _find(path)
    text = read_bytes(found, limit=MAX_TRACE_BYTES).decode("ascii", errors="replace")
    lines = [(number, line.split()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise UsageError(f"{path} holds no trace: it is empty")
    if len(lines[0][1]) == 2:
        return _throughput_log(path, lines)
    return _mahimahi(path, lines)


def _find(path: Path) -> Path:
    data = os.environ.get("PROGRESSIVE_DATA")
    if data and not path.exists() and (Path(data) / path).exists():
        return Path(data) / path
    return path


def _mahimahi(path: Path, lines: list[tuple[int, list[str]]]) -> DeliveryOpportunities:
    times: list[int] = []
    last = 0
    for number, words in lines:
        if len(words) != 1 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 15:
            raise _broken(path, number, words, "write one whole number of milliseconds a line")
        time = int(words[0])
        if time < last:
            raise _broken(path, number, words, f"times never fall, the line before says {last}")
        times.append(time)
        last = time
    if not last:
        raise UsageError(f"{path}, line {lines[-1][0]}: the trace ends at 0 ms, its last time must be above 0")
    return DeliveryOpportunities(path.name, np.array(times, dtype=np.int64))


def _throughput_log(path: Path, lines: list[tuple[int, list[str]]]) -> RateOverTime:
    times: list[float] = []
    rates: list[float] = []
    for number, words in lines:
        try:
            time, megabits = map(float, words)
        except ValueError:
            raise _broken(path, number, words, "write two numbers a line, seconds and Mbit/s") from None
        if not (abs(time) <= LATEST_S and 0 <= megabits <= MOST_MEGABITS):
            raise _broken(path, number, words, f"use seconds up to {LATEST_S:g} and 0 to {MOST_MEGABITS:g} Mbit/s")
        if times and time <= times[-1]:
            raise _broken(path, number, words, f"times must rise, the line before says {times[-1]:g} s")
        times.append(time)
        rates.append(megabits * 1e6)
    if len(times) < 2 or not any(rates[1:]):
        raise UsageError(f"{path}, line {lines[-1][0]}: the log ends without a rate above 0 after its first line")
    return RateOverTime(path.name, np.array(times) - times[0], np.array(rates[1:]))


def _broken(path: Path, number: int, words: list[str], advice: str) -> UsageError:
    return UsageError(f"{path}, line {number}: {' '.join(words)[:40]!r} is not understood: {advice}")


def _in_words(trace: Trace) -> str:
    mean = format_bandwidth(trace.mean_bps, digits=3)
    return f"trace {trace.name} (mean {mean}, repeats after {format_time(trace.length_s, digits=4)})"

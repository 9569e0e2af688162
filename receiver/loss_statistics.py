"""Loss and burst length measured from the gaps in sequence numbers and in time; reordering corrects itself."""

from __future__ import annotations

from progressive.errors import WireError

WINDOW = 1024
"""How many sequence numbers back an overtaken packet is still recognised."""

LATE_START = 25
"""Who first hears a number as high as this began to listen late rather than lost all before: 4 s at 50 kbit/s, which
few bursts last."""

MAX_JUMP = 1 << 16
"""Largest believable gap: half a minute of full packets at 20 Mbit/s, far longer than a stream survives in silence."""

LAST_SEQUENCE = 0xFFFFFFFE
"""Highest number that is taken: with one more, the count of all would not fit a report. Senders stop before it."""


class SequenceTracker:
    """Counts the datagrams of one stream that arrived and that must have been sent, and the runs of missing ones."""

    def __init__(self) -> None:
        self.received = 0
        self.expected = 0
        self._runs = 0
        self._gaps_s = 0.0  # time between the arrivals around lost datagrams, without the share of the later one
        self._lost_in_gaps = 0
        self._heard_s = 0.0
        self._highest = -1
        # Bit i: sequence number _highest - i arrived; one beyond the window, to tell a run that goes on behind it.
        self._seen = 0

    @property
    def lost(self) -> int:
        return self.expected - self.received

    @property
    def loss(self) -> float:
        """Share of the expected datagrams that did not arrive."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def burst(self) -> float:
        """Mean number of datagrams lost in a row; 0 if none was lost."""
        return self.lost / self._runs if self._runs else 0.0

    @property
    def burst_s(self) -> float:
        """Mean time that a run of lost datagrams takes, in seconds; 0 if none was lost.

        Of the time between the arrivals around m lost ones, m of m + 1 parts count as theirs.
        """
        return self.burst * self._gaps_s / self._lost_in_gaps if self._lost_in_gaps else 0.0

    @property
    def latest(self) -> int:
        """Highest sequence number that arrived; 0 before the first."""
        return max(0, self._highest)

    @property
    def latest_s(self) -> float:
        """When that arrived, in seconds."""
        return self._heard_s

    def recent(self, size: int) -> bytes:
        """Which datagrams arrived, a bit each from the latest back, in at most `size` bytes and no more than needed."""
        length = min(size, -(-self.expected // 8))
        count = 8 * length
        seen = self._seen & ((1 << min(count, self.expected)) - 1)
        newest_first = f"{seen:0{count}b}"[::-1]
        return int(newest_first, 2).to_bytes(length, "big") if count else b""

    def begin_at(self, sequence: int) -> None:
        """Who starts listening late is not told of losses before; to be called before the first `add`."""
        self._highest, self._seen = sequence - 1, 1

    def add(self, sequence: int, now: float = 0.0) -> bool:
        """Takes the sequence number of a datagram that arrived at `now`, in seconds; False if it came before.

        Numbers too old to tell are taken without being counted. Who starts listening late is not told of losses before.
        Raises WireError for a jump beyond MAX_JUMP and for a number beyond LAST_SEQUENCE; nothing changes then.
        """
        if sequence > LAST_SEQUENCE:
            raise WireError(f"sequence number {sequence}, expected 0..{LAST_SEQUENCE}")
        if self._highest < 0 and sequence >= LATE_START:
            self.begin_at(sequence)
        ahead = sequence - self._highest
        if ahead > MAX_JUMP:
            raise WireError(f"sequence number jumps by {ahead}")
        if ahead > 0:
            if ahead > 1 and self._highest >= 0:
                self._gaps_s += (now - self._heard_s) * (ahead - 1) / ahead
                self._lost_in_gaps += ahead - 1
            self._runs += ahead > 1
            self._heard_s = now
            self._seen = (self._seen << ahead | 1) & ((1 << WINDOW + 1) - 1)
            self._highest = sequence
            self.expected += ahead
            self.received += 1
            return True
        return self._fill(-ahead)

    def _fill(self, back: int) -> bool:
        tracked = min(WINDOW, self.expected)
        if back >= tracked:
            return True
        if self._seen >> back & 1:
            return False
        missing_after = not self._seen >> (back - 1) & 1
        missing_before = back + 1 < self.expected and not self._seen >> (back + 1) & 1
        self._runs += missing_after + missing_before - 1
        if self._lost_in_gaps:
            self._gaps_s *= 1 - 1 / self._lost_in_gaps
            self._lost_in_gaps -= 1
        self._seen |= 1 << back
        self.received += 1
        return True

"""Who has no key but sees all that passes: records it, plays it again from elsewhere, and claims things."""

from __future__ import annotations

import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from progressive.stream import StreamHeader
from progressive.transport.udp import UdpAddress
from progressive.wire.packet import Kind, Packet
from progressive.wire.placement import Placement, header_data
from progressive.wire.records import HEADER_ID, Record, write_records

MOST_RECORDED = 4000
BEHIND_S = 1.0
"""What is played again is so old at least: who is faster than the link takes the answers, if nothing else."""

WAIT_S = 0.02
"""From one hostile datagram to the next: fifty a second, many times as many as are honest."""


@contextmanager
def attacked(entrance: UdpAddress, target: UdpAddress, seed: int) -> Iterator[tuple[UdpAddress, list[int]]]:
    """A relay before an entrance that attacks the target; yields where it listens, and how often it attacked."""
    attack = _Attack((entrance.host, entrance.port), (target.host, target.port), seed)
    thread = threading.Thread(target=attack.run, daemon=True)
    thread.start()
    try:
        yield attack.address, attack.sent
    finally:
        attack.over.set()
        thread.join()


class _Attack:
    def __init__(self, entrance: tuple[str, int], target: tuple[str, int], seed: int) -> None:
        self.over, self.sent = threading.Event(), [0]
        self._entrance, self._target, self._rng = entrance, target, random.Random(seed)
        self._passing: deque[tuple[float, bytes]] = deque()
        self._recorded: deque[bytes] = deque(maxlen=MOST_RECORDED)
        self._near, self._far, self._hostile = (_socket() for _ in range(3))
        self.address = UdpAddress("127.0.0.1", self._near.getsockname()[1])

    def run(self) -> None:
        sender = None
        while not self.over.is_set():
            ready, _, _ = select.select([self._near, self._far], [], [], WAIT_S)
            if self._near in ready:
                datagram, sender = self._near.recvfrom(2048)
                self._passing.append((time.monotonic(), datagram))
                self._far.sendto(datagram, self._entrance)
            if self._far in ready:
                answer = self._far.recv(2048)
                if sender is not None:
                    self._near.sendto(answer, sender)
            while self._passing and time.monotonic() - self._passing[0][0] > BEHIND_S:
                self._recorded.append(self._passing.popleft()[1])
            self._hostile.sendto(self._datagram(), self._target)
            self.sent[0] += 1

    def _datagram(self) -> bytes:
        rng, stream = self._rng, self._rng.getrandbits(32)
        match rng.randrange(4):
            case 0:  # counts beyond what a report can tell
                return _packet(7, rng.randrange(1 << 16) << 16, Record(1, b"x"))
            case 1:  # a large picture of which nothing came
                return _packet(stream, 0, _header(8000, 8000, None), Record(1, b""))
            case 2 if self._recorded:  # the latest, and any of those before
                return self._recorded[-1] if rng.random() < 0.5 else rng.choice(self._recorded)
        canvas = Placement(stream ^ 1, 8000, 8000, 8, 8)  # forged streams without end, on canvases that nobody sent
        return _packet(stream, 0, _header(8, 8, canvas), Record(1, b"\1"))


def _header(width: int, height: int, placement: Placement | None) -> Record:
    return Record(HEADER_ID, header_data(StreamHeader(1, bytes(8), width, height, 1), placement))


def _packet(stream: int, sequence: int, *records: Record) -> bytes:
    return Packet(Kind.DATA, stream, sequence, write_records(records), k=1, n=1).to_bytes()


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made

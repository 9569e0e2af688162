"""When what is known of a stream is told: while its base leaves, and again for receivers that lost it or came late."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import inf

from progressive.packing.packed import PackedStream
from progressive.wire.manifest import Manifest, header_manifests
from progressive.wire.packet import Kind, Packet
from progressive.wire.placement import header_data
from progressive.wire.short import MANIFEST_OVERHEAD
from sender.settings import SenderSettings

COPIES = 4
"""How often expected quality, and what the photo is, are told, spread over the stream."""

SHARE = 0.02
"""Of the bytes of a stream, each takes at most this, but for the first time."""

HEADER_SHARE = 0.05
"""The same of what short packets cannot be read without; it goes first, and twice while the base leaves besides."""


class Manifests:
    """The manifests of one stream: what short packets need, first and again and again; and what else there is to tell.

    What is told together is sent packet by packet, one after the other.
    """

    def __init__(self, stream_id: int, settings: SenderSettings, *, base_bytes: int) -> None:
        """`base_bytes`: those of the base on the wire, which goes first; half of it does before expected quality."""
        self._stream_id, self._settings, self._base_bytes = stream_id, settings, base_bytes
        self._header: tuple[bytes, ...] = ()
        self._quality = self._about = b""
        self._header_copies = self._quality_copies = self._about_copies = 0
        self._queue: deque[bytes] = deque()

    def begin(self, manifests: Sequence[Manifest]) -> None:
        """These are what receivers have to know before anything else."""
        self._header = tuple(manifest.to_bytes() for manifest in manifests)

    def tell(self, manifest: Manifest) -> None:
        """From now on this is known besides."""
        if manifest.quality is not None:
            self._quality = Manifest(manifest.quality).to_bytes()
        if manifest.about is not None:
            self._about = Manifest(about=manifest.about).to_bytes()

    @property
    def is_empty(self) -> bool:
        return not (self._header or self._quality or self._about)

    @property
    def is_due(self) -> bool:
        """Whether something waits to be sent before anything else."""
        return bool(self._queue)

    def next_size(self, sent_bytes: int) -> int | None:
        """Bytes on the wire of the manifest that is due once so many bytes have left; None if none is."""
        if not self._queue and self._header and sent_bytes >= self._header_due():
            self._header_copies += 1
            self._queue.extend(self._header)
        if not self._queue and self._quality and sent_bytes >= self._quality_due():
            self._quality_copies += 1
            self._queue.append(self._quality)
        if not self._queue and self._about and sent_bytes >= self._about_due():
            self._about_copies += 1
            self._queue.append(self._about)
        return self._size(self._queue[0]) if self._queue else None

    def hurry(self) -> bool:
        """The end is near: expected quality that was never told is due now, twice, before all else; whether it was."""
        if not self._quality or self._quality_copies:
            return False
        self._quality_copies = 2
        self._queue = deque([self._quality] * 2)
        return True

    def packet(self, sequence: int) -> Packet:
        """The manifest that is due."""
        return Packet(Kind.MANIFEST, self._stream_id, sequence, self._queue.popleft(), short=self._settings.short)

    def repeat(self) -> int:
        """Everything is due again; how many bytes that takes on the wire."""
        self._queue.extend(filter(None, (*self._header, self._quality, self._about)))
        return sum(self._size(payload) for payload in self._queue)

    def _size(self, payload: bytes) -> int:
        settings = self._settings
        if settings.short:
            return settings.wire_size(MANIFEST_OVERHEAD + len(payload) + settings.inner_parity)
        return settings.wire_size_of_payload(len(payload))

    def _header_due(self) -> float:
        copies = self._header_copies
        if copies < 3:
            return self._base_bytes * copies / 2
        return max(self._base_bytes, sum(map(self._size, self._header)) * (copies - 2) / HEADER_SHARE)

    def _quality_due(self) -> float:
        return max(self._base_bytes / 2, self._later(self._quality_copies, self._quality))

    def _about_due(self) -> float:
        """Behind the first packet, so that it comes before the first picture; behind the base, and later."""
        copies = self._about_copies
        return 1 if not copies else self._base_bytes if copies == 1 else self._later(copies, self._about)

    def _later(self, copies: int, payload: bytes) -> float:
        """Spread over the stream."""
        if copies >= COPIES:
            return inf
        return max(copies * self._size(payload) / SHARE, copies * self._settings.budget_bytes / COPIES)


def reserve_of(packed: PackedStream, settings: SenderSettings, budget_bytes: int) -> int:
    """Bytes of a budget that manifests take which short packets cannot be read without."""
    sizes = [len(manifest.to_bytes()) + MANIFEST_OVERHEAD for manifest in header_manifests_of(packed, settings)]
    return 2 * sum(map(settings.wire_size, sizes)) + int(HEADER_SHARE * budget_bytes)


def header_manifests_of(packed: PackedStream, settings: SenderSettings) -> list[Manifest]:
    """What short packets of a stream cannot be read without."""
    header = header_data(packed.stream.header, packed.placement)
    sources = [len(block.packets) for block in packed.blocks]
    base = sum(block.layer == 0 for block in packed.blocks)
    room = settings.packet_size - settings.inner_parity - MANIFEST_OVERHEAD
    return header_manifests(header, sources, base, room)

"""When what is known of a stream is told: while its base leaves, and again for receivers that lost it or came late."""

from __future__ import annotations

from progressive.wire.manifest import Manifest
from progressive.wire.packet import Kind, Packet
from sender.settings import SenderSettings

COPIES = 4
"""How often a manifest is sent, spread over the stream."""

SHARE = 0.02
"""Of the bytes of a stream, manifests take at most this, but for the first."""


class Manifests:
    """The manifest of one stream.

    Field: size: bytes on the wire of the packet that it takes.
    """

    def __init__(self, stream_id: int, settings: SenderSettings, *, base_bytes: int) -> None:
        """`base_bytes`: those of the base on the wire, which goes first; half of it does before anything else."""
        self.size = 0
        self._stream_id, self._settings, self._base_bytes = stream_id, settings, base_bytes
        self._payload = b""
        self._copies = 0

    def tell(self, manifest: Manifest) -> None:
        """From now on this is what there is to tell."""
        self._payload = manifest.to_bytes()
        self.size = self._settings.wire_size_of_payload(len(self._payload))

    def is_due(self, sent_bytes: int) -> bool:
        """Whether a manifest is next, once so many bytes have left."""
        if not self._payload or self._copies >= COPIES:
            return False
        later = max(self._copies * self.size / SHARE, self._copies * self._settings.budget_bytes / COPIES)
        return sent_bytes >= max(self._base_bytes / 2, later)

    def packet(self, sequence: int) -> Packet:
        """A copy to send."""
        self._copies += 1
        return self.repeated(sequence)

    def repeated(self, sequence: int) -> Packet:
        """A copy beyond those that are due."""
        return Packet(Kind.MANIFEST, self._stream_id, sequence, self._payload)

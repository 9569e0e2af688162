"""What a receiver counts for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from progressive.shell.display import QuietDisplay
from receiver.events import DatagramDropped, PacketReceived, PacketRecovered, StreamEnded, StreamStarted
from receiver.reception import PhotoFinished, PhotoStarted, PictureShown

REFINEMENT_BUCKETS_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
FIRST_PICTURE_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32)


class ReceiverCounters(QuietDisplay):
    """Counts packets, losses, recovery, streams and pictures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"progressive_{name}", says, labels, registry=registry)

        self._received = counter("packets_received", "Packets that came.", "kind")
        self._expected = counter("packets_expected", "Packets that must have been sent.")
        self._late = counter("packets_late", "Packets that came after later ones.")
        self._recovered = counter("packets_recovered", "Source packets restored from parity.")
        self._dropped = counter("datagrams_dropped", "Datagrams of no use.", "reason")
        self._bytes = counter("received_bytes", "Bytes of the packets that came.")
        self._started = counter("streams_started", "Streams whose header came.")
        self._ended = counter("streams_ended", "Streams that ended.", "reason")
        self._refinement = Histogram(
            "progressive_refinement_seconds",
            "Time to decode, measure and store a picture.",
            buckets=REFINEMENT_BUCKETS_S,
            registry=registry,
        )
        self._first_picture = Histogram(
            "progressive_first_picture_seconds",
            "Time from the first packet of a photo to its first picture.",
            buckets=FIRST_PICTURE_BUCKETS_S,
            registry=registry,
        )
        self._counted: tuple[int, int] = (-1, 0)  # the stream, and the packets expected of it that are counted
        self._without_picture: set[str] = set()

    def observe(self, event: object) -> None:
        match event:
            case PacketReceived():
                self._received.labels(event.kind).inc()
                self._bytes.inc(event.size)
                self._late.inc(event.late)
                stream, counted = self._counted
                self._expected.inc(max(0, event.expected - (counted if stream == event.stream_id else 0)))
                self._counted = event.stream_id, event.expected
            case PacketRecovered():
                self._recovered.inc()
            case DatagramDropped():
                self._dropped.labels(event.reason).inc()
            case StreamStarted():
                self._started.inc()
            case StreamEnded():
                self._ended.labels(event.reason).inc()
                self._counted = -1, 0
            case PhotoStarted():
                self._without_picture.add(event.name)
            case PhotoFinished():
                self._without_picture.discard(event.name)
            case PictureShown():
                self._refinement.observe(event.took_s)
                if event.name in self._without_picture:
                    self._without_picture.remove(event.name)
                    self._first_picture.observe(event.refinement.time_s)

"""What a sender counts for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from progressive.shell.display import QuietDisplay
from sender.events import PacketSent, Replanned, ReportReceived, StreamFinished
from sender.joins import ReceiverJoined, ReceiverLeft


class SenderCounters(QuietDisplay):
    """Counts packets, reports, plans, and receivers that come and go."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"progressive_{name}", says, labels, registry=registry)

        def gauge(name: str, says: str) -> Gauge:
            return Gauge(f"progressive_{name}", says, registry=registry)

        self._sent = counter("packets_sent", "Packets sent.", "kind")
        self._bytes = counter("sent_bytes", "Bytes of the packets sent.")
        self._reports = counter("reports_received", "Reports of receivers.")
        self._loss = gauge("reported_loss", "Share of the packets lost, by the latest report.")
        self._replanned = counter("streams_replanned", "Times that the rest of a stream was planned anew.")
        self._planned = gauge("planned_loss", "Share of the packets lost that the latest plan is for.")
        self._finished = counter("streams_finished", "Streams that were sent.", "reason")
        self._joined = counter("receivers_joined", "Receivers that joined.")
        self._left = counter("receivers_left", "Receivers that left.")
        self._receivers = gauge("receivers", "Receivers that are there.")

    def observe(self, event: object) -> None:
        match event:
            case PacketSent():
                self._sent.labels(event.kind).inc()
                self._bytes.inc(event.size)
            case ReportReceived():
                self._reports.inc()
                self._loss.set(event.loss)
            case Replanned():
                self._replanned.inc()
                self._planned.set(event.losses.loss)
            case StreamFinished():
                self._finished.labels(event.reason).inc()
            case ReceiverJoined():
                self._joined.inc()
                self._receivers.inc()
            case ReceiverLeft():
                self._left.inc()
                self._receivers.dec()

"""What one run of the sender was asked to do: checked before anything starts, echoed in words and in the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from progressive.codec import FAITHFUL
from progressive.transport.access import Access
from progressive.units import format_percent, format_size, format_time
from sender.handed import Given
from sender.settings import SenderSettings


@dataclass(frozen=True, slots=True)
class SenderOptions:
    """A run of the sender.

    Fields:
        source: photo, folder or glob, or what a program hands over; None for the sample photo.
        codec: name of the codec.
        context: what the picture is for, `classify`, `reconstruct` or `hybrid`; None for a codec that has one order.
        settings: of each stream.
        effort: of the encoder.
        full_size: never downscale.
        with_metadata: receivers are told the photo's name, time and place.
        every_s: seconds from one photo to the next as frames of a sequence; None for photos that wait for their turn.
        to: addresses of receivers, or one to serve at; empty to receive in this process.
        access: how receivers are reached, besides the addresses; its inner parity is that of the settings.
        serve_for_s: seconds to serve whoever comes; None until stopped.
        channel: spec of the simulated link, for receiving in this process.
        seed: of all that is random on that link.
        deliver_damaged: packets that the link damages arrive with their bit errors rather than not at all.
        fast: on a virtual clock.
        output: folder for the pictures received in this process.
        measured: those pictures are measured against the original.
        looks: of those pictures, where the codec has them; the first is what is measured and kept.
    """

    source: Given
    codec: str
    settings: SenderSettings
    context: str | None = None
    effort: int = 0
    full_size: bool = False
    with_metadata: bool = False
    every_s: float | None = None
    to: tuple[str, ...] = ()
    access: Access = field(default_factory=Access)
    serve_for_s: float | None = None
    channel: str = "ep2"
    seed: int = 0
    deliver_damaged: bool = False
    fast: bool = False
    output: Path = Path("out")
    measured: bool = True
    looks: tuple[str, ...] = (FAITHFUL,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "access", replace(self.access, inner_parity=self.settings.inner_parity))

    def in_words(self, channel_words: str = "") -> dict[str, str]:
        """Every setting for a person; `channel_words` says what the channel spec means."""
        settings = self.settings
        duty = "" if settings.duty_cycle is None else f", {format_percent(settings.duty_cycle, digits=2)} of any hour"
        redundancy = "" if settings.redundancy is None else f", redundancy {format_percent(settings.redundancy)}"
        inner = f", {settings.inner_parity} bytes of inner parity" if settings.inner_parity else ""
        answers = "one way" if not settings.feedback else "repair" if settings.repairs else "no repair"
        audience = "" if settings.serve is None else f", for {format_percent(settings.serve)} of the receivers"
        words = {
            "source": str(self.source or "sample photo")
            + ("" if self.every_s is None else f", a frame every {format_time(self.every_s)}"),
            "codec": self.codec
            + (f", context {self.context}" if self.context else "")
            + (f", effort {self.effort}" if self.effort else "")
            + ", full size" * self.full_size
            + ", with metadata" * self.with_metadata,
            "bandwidth": settings.bandwidth_in_words() + duty + (", IP headers counted" * settings.count_ip),
            "packets": f"{format_size(settings.packet_size)}{', short headers' * settings.short}{inner}",
            "protection": f"{settings.protection}{redundancy}, {answers}{audience}",
            "expected": str(settings.expect),
            "deadline": format_time(settings.deadline_s),
        }
        if self.to:
            until = "" if self.serve_for_s is None else f", for {format_time(self.serve_for_s)}"
            return words | {"to": ", ".join(self.to) + until} | self.access.in_words()
        clock = "virtual clock" if self.fast else "real time"
        return words | {
            "channel": f"{self.channel}: {channel_words}, seed {self.seed}, {clock}",
            **({} if self.measured else {"against": "nothing"}),
            **({} if self.looks[0] == FAITHFUL else {"look": self.looks[0]}),
            "output": str(self.output),
        }

    def in_values(self) -> dict[str, object]:
        """Every setting as a JSON value, in base units."""
        plain = replace(self, source=None if self.source is None else str(self.source))
        values = asdict(plain) | asdict(self.settings) | {"to": list(self.to), "output": str(self.output)}
        values["look"] = self.looks[0]
        if self.settings.follow:
            values["bandwidth_bps"] = None
        del values["settings"], values["access"], values["looks"]
        return values

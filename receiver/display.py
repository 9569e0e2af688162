"""What the receiving end says of a photo while it comes: packets, layer, quality, bytes, time."""

from __future__ import annotations

import math
from typing import Protocol

from progressive.codec import DecoderStatus
from progressive.output.folder import json_values
from progressive.output.refinement import Refinement
from progressive.shell.display import ARRIVED, LOST, RECOVERED, Display, Progress
from progressive.units import counted, format_size, format_time

LONGEST_TRACE = 500
"""Packets whose fates are kept for display: more than a terminal's line shows."""


class Figures(Protocol):
    """The counts of `receiver.session.PacketStatistics` that are shown."""

    @property
    def received(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def recovered(self) -> int: ...
    @property
    def bytes(self) -> int: ...


class PhotoView:
    """One photo on the display."""

    def __init__(self, display: Display, name: str, *, one_of_several: bool) -> None:
        """
        Args:
            display: where to.
            name: of the photo.
            one_of_several: events then carry the name; may be set later.
        """
        self._display = display
        self._name = name
        self.is_one_of_several = one_of_several
        self._seen = {ARRIVED: 0, LOST: 0, RECOVERED: 0}
        self._trace = ""
        self._quality = ""

    def show_packets(self, figures: Figures, share: float, *, decoding: bool = False) -> None:
        """Redraws the figures; `share` of the segments are there, all of them but not in the picture if `decoding`."""
        counts = {RECOVERED: figures.recovered, LOST: figures.lost, ARRIVED: figures.received}
        for mark, count in counts.items():
            self._trace = (self._trace + mark * (count - self._seen[mark]))[-LONGEST_TRACE:]
            self._seen[mark] = count
        packets = f"received {figures.received}  lost {figures.lost}  recovered {figures.recovered}"
        text = f"{packets}  {format_size(figures.bytes, digits=3)}{self._quality}"
        text += "  all received, decoding" if decoding else ""
        self._display.progress([Progress(self._name, share, text, self._trace)])

    def show_picture(
        self,
        refinement: Refinement,
        status: DecoderStatus,
        figures: Figures,
        share: float,
        *,
        decoding: bool = False,
    ) -> None:
        """Reports a refinement, made when the decoder had come so far: an event."""
        words = self.know_quality(refinement, status)
        parts = (
            f"{refinement.time_s:7.2f} s",
            f"{refinement.bytes:8d} B",
            *words,
            f"received {figures.received}, lost {figures.lost}, recovered {figures.recovered}",
        )
        named = {"photo": self._name} if self.is_one_of_several else {}
        label = f"{self._name}: " if named else ""
        self._display.event(json_values(refinement) | named, label + "  ".join(parts))
        self.show_packets(figures, share, decoding=decoding)

    def know_quality(self, refinement: Refinement, status: DecoderStatus) -> list[str]:
        """From now on the figures are those of this refinement; what is said of it."""
        words = quality_words(refinement, status)
        self._quality = "".join(f"  {part}" for part in words)
        return words


def quality_words(refinement: Refinement, status: DecoderStatus) -> list[str]:
    """The layer, whatever was measured or else is expected, and what of the picture is missing, in words."""
    words = ["base" if refinement.layer == 0 else f"layer {refinement.layer}"]
    if refinement.psnr is not None:
        words.append(f"PSNR {refinement.psnr:.2f} dB" if math.isfinite(refinement.psnr) else "equal to the original")
    elif refinement.expected_psnr is not None:
        words.append(f"about {refinement.expected_psnr:.0f} dB")
    if refinement.ms_ssim is not None:
        words.append(f"MS-SSIM {refinement.ms_ssim:.3f}")
    if gaps := status.gaps_in_words():
        words.append(gaps)
    return words


def closing_words(name: str, latest: Refinement | None, status: DecoderStatus, figures: Figures, segments: str) -> str:
    """The one line that closes a photo."""
    packets = f"{counted(figures.received, 'packet')} received, {figures.lost} lost, {figures.recovered} recovered"
    if latest is None:
        return f"{name}: no picture, {packets}"
    picture = f"{', '.join(quality_words(latest, status))} after {format_time(round(latest.time_s, 2))}"
    return f"{name}: {picture}, {segments} segments, {packets}, {format_size(figures.bytes, digits=3)}"

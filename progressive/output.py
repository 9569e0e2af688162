"""The output folder of a run: refinement pictures as they come, then the final one, a timeline and a report."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from progressive.codec import Photo
from progressive.errors import UsageError
from progressive.files import check_writable, reason, write_atomically
from progressive.photos import downscale, png_bytes

_OF_A_RUN = re.compile(r"refinement_[0-9]+\.png|final\.png|timeline\.png|report\.json")
_THUMBNAIL_PIXELS = 400 * 400


@dataclass(frozen=True, slots=True)
class Refinement:
    """One picture that was shown, and what it took to show it.

    Fields:
        time_s: since the first datagram, in seconds.
        bytes: all bytes of the stream's datagrams received until then.
        layer: the highest layer that the picture shows; 0 is the base.
        psnr: in dB; None without the original, infinite if the picture equals it.
        ms_ssim: 0..1; None without the original or for a picture below 161 pixels.
    """

    time_s: float
    bytes: int
    layer: int
    psnr: float | None = None
    ms_ssim: float | None = None


class OutputFolder:
    """A folder made anew for a run: what an earlier run left in it is removed, other files stay.

        add_refinement, again and again  ->  refinement_00.png, refinement_01.png, ...
        finish                           ->  final.png, timeline.png, report.json

    Every file is written whole or not at all; a full disk raises RunError. Only thumbnails and the last picture are
    kept in memory.
    """

    def __init__(self, path: Path | str) -> None:
        """Makes the folder; raises UsageError if that or writing into it is impossible."""
        self.path = Path(path)
        self._refinements: list[Refinement] = []
        self._thumbnails: list[Photo] = []
        self._last_png = b""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            check_writable(self.path / "report.json")
            for file in self.path.iterdir():
                if _OF_A_RUN.fullmatch(file.name):
                    file.unlink()
        except OSError as error:
            raise UsageError(f"cannot write into the folder {self.path}: {reason(error)}") from error

    def add_refinement(self, picture: Photo, refinement: Refinement) -> Path:
        """Writes the picture, [H, W, 3], and returns where."""
        path = self.path / f"refinement_{len(self._refinements):02d}.png"
        self._last_png = png_bytes(picture)
        write_atomically(path, self._last_png)
        self._refinements.append(refinement)
        self._thumbnails.append(downscale(picture, max_pixels=_THUMBNAIL_PIXELS))
        return path

    def finish(self, settings: Mapping[str, Any], wire_bytes: int, *, title: str = "") -> None:
        """Closes the run; without any refinement there is only a report.

        Args:
            settings: every setting of the run as JSON values, echoed in the report.
            wire_bytes: all bytes that the sender put on the wire.
            title: what the timeline is headed with.
        """
        if self._refinements:
            from progressive.timeline import draw_timeline

            write_atomically(self.path / "final.png", self._last_png)
            timeline = draw_timeline(list(zip(self._refinements, self._thumbnails, strict=True)), title=title)
            write_atomically(self.path / "timeline.png", timeline)
        report = {
            "settings": dict(settings),
            "wire_bytes": wire_bytes,
            "events": [json_values(refinement) for refinement in self._refinements],
        }
        text = json.dumps(report, indent=2, allow_nan=False, ensure_ascii=False)
        write_atomically(self.path / "report.json", f"{text}\n".encode())


def json_values(refinement: Refinement) -> dict[str, int | float | None]:
    """The refinement as an event of the report: what is not finite, which JSON has no word for, becomes null."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in asdict(refinement).items()
    }

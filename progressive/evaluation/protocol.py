"""How an evaluation was made, in words that stand with its table."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import __version__ as pillow_version

from progressive.evaluation.bd_rate import LEAST_POINTS
from progressive.evaluation.bootstrap import DRAWS
from progressive.evaluation.peers import PEERS

_BYTES = (
    "Bytes are those of whole files, every header counted: of a codec's `.prog` file (its own header, and ten bytes a "
    "segment beside the payload); a JPEG 2000 file is the raw codestream, a prefix of layers has headers that say so."
)
_POINTS = (
    "At a rate a codec shows its one stream as far as it fits, and of what comes later the segments that still do; a "
    "peer the best picture among its files that fit, by the measure in question (for recognition by PSNR); its "
    "settings are searched so that files come as close to each rate as the format permits, never above. PSNR is over "
    "RGB, MS-SSIM the mean of R, G and B."
)
_MEANS = (
    "Means are over the photos at equal rate; a system that has no file that small for some of them shows the number "
    "it has instead."
)
_BD_RATES = (
    "BD-rates are taken photo by photo: log rate interpolated by monotone cubics (PCHIP) over the qualities that both "
    f"reach, MS-SSIM in dB, from {LEAST_POINTS} points or more of each; then their mean, with a 95 % interval by "
    f"bootstrap over the photos ({DRAWS:,} draws). Below zero the first system needs fewer bytes."
)
_RECOGNITION = (
    "Top-1 and the true class's probability are SqueezeNet 1.1's, with 95 % intervals by bootstrap over the photos; "
    "differences are paired by photo, pooled ones over the rates that both have."
)


def protocol(
    codec: str | None,
    peers: Sequence[str],
    notes: Sequence[str],
    *,
    max_payload: int,
    context: str | None,
    recognised: bool,
) -> str:
    """The protocol, one subject a line.

    Args:
        codec: None for peers alone.
        max_payload: largest segment of the codec's stream, in bytes.
        context: what its segments are ordered for; None for the codec's default.
        notes: of this run, such as what was not measured and why.
        recognised: pictures were classified.
    """
    lines = [_BYTES, _POINTS, _MEANS]
    if len(peers) > (codec is None):
        lines.append(_BD_RATES)
    if recognised:
        lines.append(_RECOGNITION)
    if codec:
        lines.append(f"{codec}: one stream a photo, of {stream_settings(max_payload, context)}, cut between them.")
    lines += [f"Peers by Pillow {pillow_version}."] if peers else []
    lines += [f"{peer}: {PEERS[peer].description()}." for peer in peers]
    return "\n".join(f"- {line}" for line in (*lines, *notes))


def stream_settings(max_payload: int, context: str | None) -> str:
    """How a codec's stream is made, in words."""
    order = f" ordered for {context}" if context else ""
    return f"segments of at most {max_payload} bytes{order}"

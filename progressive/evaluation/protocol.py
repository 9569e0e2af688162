"""How an evaluation was made, in words that stand with its table."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import __version__ as pillow_version

from progressive.evaluation.bd_rate import LEAST_POINTS
from progressive.evaluation.bootstrap import DRAWS
from progressive.evaluation.peers import PEERS

_BYTES = (
    "Bytes are those of whole files, every header counted: ours of the `.prog` file (its own header, and ten bytes a "
    "segment beside the payload); a JPEG 2000 file is the raw codestream, a prefix of layers has headers that say so."
)
_POINTS = (
    "At a rate the codec shows the longest cut of its one stream that fits, a peer the best picture among its files "
    "that fit, by the measure in question (for recognition by PSNR); its settings are searched so that files come as "
    "close to each rate as the format permits, never above. PSNR is over RGB, MS-SSIM the mean of R, G and B."
)
_MEANS = (
    "Means are over the photos at equal rate; a system that has no file that small for some of them shows the number "
    "it has instead."
)
_BD_RATES = (
    "BD-rates are taken photo by photo: log rate interpolated by monotone cubics (PCHIP) over the qualities that both "
    f"reach, MS-SSIM in dB, from {LEAST_POINTS} points or more of each; then their mean, with a 95 % interval by "
    f"bootstrap over the photos ({DRAWS:,} draws). Below zero the codec needs fewer bytes."
)
_RECOGNITION = (
    "Top-1 and the true class's probability are SqueezeNet 1.1's, with 95 % intervals by bootstrap over the photos; "
    "differences are paired by photo, pooled ones over the rates that both have."
)


def protocol(codec: str, peers: Sequence[str], notes: Sequence[str], *, recognised: bool) -> str:
    """The protocol, one subject a line.

    Args:
        notes: of this run, such as what was not measured and why.
        recognised: pictures were classified.
    """
    lines = [_BYTES, _POINTS, _MEANS]
    if peers:
        lines.append(_BD_RATES)
    if recognised:
        lines.append(_RECOGNITION)
    lines.append(f"{codec}: one stream a photo, cut. Pillow {pillow_version}.")
    lines += [f"{peer}: {PEERS[peer].description()}." for peer in peers]
    return "\n".join(f"- {line}" for line in (*lines, *notes))

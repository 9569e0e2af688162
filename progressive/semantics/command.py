"""`python -m progressive importance`: where in a photo a codec would spend its bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from progressive.codec import ProgressiveCodec
from progressive.files import check_writable, write_atomically
from progressive.photos import downscale, read_photo
from progressive.semantics.sources import importance_map

MAX_PIXELS = 1_000_000
"""What is drawn is at most this large."""


def draw(
    photo: Path,
    output: Path,
    *,
    source: str,
    codec: ProgressiveCodec,
    context: str | None,
    classifier_weights: Path | None,
    log: Callable[[str], None],
) -> None:
    """Draws and writes the maps; raises UsageError for an unknown source, missing weights or an unwritable output."""
    check_writable(output)
    original = read_photo(photo, tell=lambda line: log(f"{photo}: {line}"))
    shown = downscale(original, max_pixels=MAX_PIXELS)
    sim = importance_map(shown, source, classifier_weights=classifier_weights)
    from progressive.semantics.figure import draw_importance

    worth = codec.importance(shown, context)
    order = f"by {codec.name}" + (f" to {context}" if context else "")
    if worth is None:
        order = f"SIM and LCM blended, as {codec.name} does not tell areas apart"
    write_atomically(output, draw_importance(shown, sim, worth, source=source, order=order))
    log(f"{output}: importance by {source}, order: {order}")

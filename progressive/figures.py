"""Figures as PNG files."""

from __future__ import annotations

import io
import logging
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure_png(figure: Figure, **options: Any) -> bytes:
    """The content of a PNG file; `options` are those of `savefig`.

    Of characters that no font here has a box is drawn, and nobody is warned of it: names may be in any language.
    """
    buffer = io.BytesIO()
    log = logging.getLogger("matplotlib.font_manager")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
            figure.savefig(buffer, format="png", **options)
    finally:
        log.setLevel(level)
    return buffer.getvalue()

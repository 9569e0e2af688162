"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Iterator

FIRST_S = 0.25
LONGEST_S = 5.0


def growing_pauses() -> Iterator[float]:
    """Seconds to wait before each further try: twice as long every time, up to a limit, without end."""
    pause_s = FIRST_S
    while True:
        yield pause_s
        pause_s = min(LONGEST_S, 2 * pause_s)

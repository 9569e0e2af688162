"""What a person may say of the rate of a link: how fast it is, or that nobody knows."""

from __future__ import annotations

from progressive.units import parse_bandwidth

AUTO = "auto"
ASSUMED_BPS = 50_000.0
"""What photos are prepared for where the rate is not known: a size whose base does not take much of the time."""


def parse_rate(text: str) -> tuple[float, bool]:
    """Bits per second, and whether these are only assumed and the rate is to be followed; raises UsageError for what
    is neither a bandwidth nor `auto`."""
    return (ASSUMED_BPS, True) if text.strip().lower() == AUTO else (parse_bandwidth(text), False)

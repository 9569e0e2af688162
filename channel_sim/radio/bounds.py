"""The check that every setting of a radio passes: within the range its model allows, or a message that gives it."""

from __future__ import annotations

from progressive.errors import UsageError


def check_range(what: str, value: float, low: float, high: float, unit: str = "") -> None:
    """Raises UsageError, with the allowed range, unless low <= value <= high; `what` starts with its article."""
    if not low <= value <= high:
        unit = f" {unit}" if unit else ""
        raise UsageError(f"{what} of {value:.6g}{unit} is out of range: use {low:g} to {high:g}{unit}")

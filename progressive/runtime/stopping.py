"""Long work asks between its parts whether anybody still wants it."""

from __future__ import annotations

from collections.abc import Callable

from progressive.errors import ProgressiveError

Stop = Callable[[], bool]
"""Whether to give up; asked often, from whatever thread works."""


class StoppedError(ProgressiveError):
    """The work was given up half way because its caller asked for it."""


def never() -> bool:
    return False


def check(stop: Stop) -> None:
    """Raises StoppedError if the work is to be given up."""
    if stop():
        raise StoppedError("given up half way, as asked")

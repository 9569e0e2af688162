"""What other packages add to the project: entry points of theirs, found by name, imported when they are first used."""

from __future__ import annotations

from functools import cache
from importlib import import_module, metadata
from typing import Any, TypeVar

from progressive.errors import UsageError

T = TypeVar("T")

CODECS, CHANNELS, TRANSPORTS = "progressive.codecs", "progressive.channels", "progressive.transports"
"""Groups of entry points."""


@cache
def entry_points(group: str) -> dict[str, str]:
    """`module:name` by the name of the entry point, of all packages that are installed."""
    return {found.name: found.value for found in metadata.entry_points(group=group)}


def imported(path: str) -> Any:
    """What `module:name` names; raises UsageError, which says why, if it cannot be imported."""
    module, colon, name = path.partition(":")
    if not (module and colon and name):
        raise UsageError(f"{path!r} names nothing that can be imported: write module:Class")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"cannot import {path}: {error}; install its package, or name its folder in PYTHONPATH"
        ) from None
    except AttributeError:
        raise UsageError(f"cannot import {path}: {module} has no {name}") from None


def found_in(group: str, name: str, kind: type[T]) -> T | None:
    """What another package adds to a group by this name; None if there is none.

    Raises UsageError if it cannot be imported, or is not of this kind.
    """
    path = entry_points(group).get(name)
    if path is None:
        return None
    found = imported(path)
    if not isinstance(found, kind):
        raise UsageError(
            f"{path} is no {kind.__module__}.{kind.__qualname__}: name one by the entry point {name} of {group}"
        )
    return found

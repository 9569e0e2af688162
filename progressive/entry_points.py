"""What other packages add to the project: entry points of theirs, found by name, imported when they are first used."""

from __future__ import annotations

from functools import cache
from importlib import import_module, metadata
from typing import Any

from progressive.errors import UsageError

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

"""What a sweep needs of the systems: the functions that check, prepare, tune and try them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.case import Case, Conditions, Measure, Objective, Outcome, Parameters, System

if TYPE_CHECKING:
    from experiments.broadcast import Broadcast
    from experiments.validation import Comparison


@dataclass(frozen=True, slots=True)
class Laboratory:
    """The functions by which systems are tried; workers get them by name, so they stand at the top of their modules.

    Fields:
        check_system: raises UsageError for a system that is unknown, or that cannot be tried here.
        identity: of a source: all that decides what it makes of a photo, such as models and versions.
        prepare: makes what trials with a source and a photo need, and keeps it in a folder.
        tune: the parameters of a system for conditions, from (system, conditions, photos, objective, trials, seed,
            folder).
        run: the outcome of a case, with the folder.
        base_probability: that the base of a case is there by the deadline, exactly.
        broadcast: what `try_broadcast` returns, from (broadcast, channel, photo, seed, folder).
        compare: estimates beside real pictures, from (photo, receptions, seed, folder).
        judges: of measures: what names the networks that they need; raises UsageError if these are not there.
    """

    check_system: Callable[[System], None]
    identity: Callable[[str], str]
    prepare: Callable[[str, str, Path], None]
    tune: Callable[[System, Conditions, Sequence[str], Objective, int, int, Path], Parameters]
    run: Callable[[Case, Path], Outcome]
    base_probability: Callable[[Case, Path], float]
    broadcast: Callable[[Broadcast, str, str, int, Path], dict[str, Any]]
    compare: Callable[[str, int, int, Path], Comparison]
    judges: Callable[[Sequence[Measure]], str] = lambda _measures: ""

    def identities(self, sources: Iterable[str]) -> dict[str, str]:
        """Of each source, once."""
        return {source: self.identity(source) for source in dict.fromkeys(sources)}

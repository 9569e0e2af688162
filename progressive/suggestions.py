"""What to say of a name that nobody knows: the known one that was probably meant, and all there are."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LIKENESS = 0.7
"""Share of letters in common, 0..1, from which on one name may be meant for another: one slip in four letters."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: written almost so, or the only one that begins so; None if none was."""
    names = {each.casefold(): each for each in known}
    written = name.strip().casefold()
    beginning = [each for each in names if written and each.startswith(written)]
    close = beginning if len(beginning) == 1 else get_close_matches(written, names, 1, LIKENESS)
    return names[close[0]] if close else None


def use_one_of(name: str, known: Iterable[str]) -> str:
    """Such as `did you mean rmpgc? Use one of recurrent, rmpgc`: what to do about an unknown name."""
    known = list(known)
    meant = nearest(name, known)
    choices = f"one of {', '.join(known)}"
    return f"use {choices}" if meant is None else f"did you mean {meant}? Use {choices}"

"""The kinds of parts that a channel is made of: this project's, and those of other packages.

An entry point of the group `progressive.channels`, its name the word that begins the part, names a `Kind`
(`channel_sim.words`) whose `build` gives fields of LinkSettings: `{"further": (IMPAIRMENT,)}` for one of
`channel_sim.impairment`.
"""

from __future__ import annotations

from channel_sim.packet_words import KINDS
from channel_sim.words import Kind
from progressive.entry_points import CHANNELS, entry_points, found_in


def kind_of(name: str) -> Kind | None:
    """The kind of part that a word begins, of this project or of another package; None if there is none.

    Raises UsageError if another package's cannot be imported, or is none.
    """
    return KINDS.get(name) or found_in(CHANNELS, name, Kind)


def all_kinds() -> dict[str, Kind]:
    """Every kind of part, those of other packages after this project's."""
    others = {name: kind for name in entry_points(CHANNELS) if name not in KINDS and (kind := kind_of(name))}
    return KINDS | others

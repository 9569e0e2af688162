"""The short language that names a channel on a command line, and the same as TOML.

    SPEC  = PART ("+" PART)*
    PART  = PRESET  |  NAME.toml  |  KIND  |  KIND ":" ITEM ("," ITEM)*
    ITEM  = KEY "=" VALUE, or at first place VALUE alone, which is then of the kind's main key

`ep3`, `loss:5%`, `ge:loss=10%,burst=5`, `rayleigh:snr=12dB,doppler=10Hz+rate:50kbps,delay=80ms`, `ep2+delay:80ms`.

What a part says takes the place of what a preset chose: `pedestrian+delay:5ms` is a walker 5 ms away. A mean SNR takes
that of a link budget too, and the other way round; a trace that of a rate. The order of parts does not matter.

In a TOML file `KIND = VALUE` and `[KIND]` tables of `KEY = VALUE` are parts, and `PRESET = true` is a preset.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from channel_sim.kinds import all_kinds, kind_of
from channel_sim.link import LinkSettings
from channel_sim.parts import Choices, Part, Value, composed, merged, parts_of_table
from channel_sim.presets import PRESETS
from progressive.errors import UsageError
from progressive.files import read_toml
from progressive.suggestions import nearest

MAX_FILE_BYTES = 1_000_000


def parse_channel(spec: str, *, deliver_damaged: bool = False) -> LinkSettings:
    """The link that a channel spec describes, which delivers packets with bit errors if told so, or else loses them.

    Raises UsageError that names the part at fault, where it stands, and what is known.
    """
    try:
        choices = merged((part, _choices_of(part)) for part in _split(spec))
        return composed(choices.fields | {"deliver_damaged": deliver_damaged})
    except UsageError as error:
        raise UsageError(f"channel {spec[:80]!r}: {error}") from None


def channel_in_words(spec: str) -> str:
    """A named channel as `ep4: heavy losses, short bursts`, any other as it was written."""
    name = spec.strip().lower()
    return f"{name}: {PRESETS[name].summary}" if name in PRESETS else spec.strip()


def _split(spec: str) -> Iterator[Part]:
    """The parts as written, with the columns where they begin, counted from 1."""
    column = 1
    for written in spec.split("+"):
        text = written.strip()
        at = column + written.index(text)
        kind, colon, items = text.partition(":")
        kind = kind.lower()
        values = tuple(_values(items, at + len(kind) + 1)) if colon else ()
        yield Part(kind, values, text, f"column {at}")
        column += len(written) + 1


def _values(items: str, column: int) -> Iterator[Value]:
    for number, item in enumerate(items.split(",")):
        key, equals, value = (word.strip() for word in item.partition("="))
        if not equals:
            key, value = ("", key) if number == 0 else (key, "")
        place = f"column {column + len(item) - len(item.lstrip())}"
        yield Value(key, value, item, place)
        column += len(item) + 1


def _choices_of(part: Part) -> Choices:
    if part.text.endswith(".toml"):
        return _choices_of_file(Path(part.text))
    return _choices_in(part)


def _choices_in(part: Part) -> Choices:
    if (name := part.text.lower()) in PRESETS:
        return Choices(preset=PRESETS[name].fields)
    if kind_of(part.kind) is None:
        kinds = ", ".join(f"{kind}:" for kind in all_kinds())
        meant = nearest(part.kind, [*PRESETS, *all_kinds()])
        advice = f"did you mean {meant}? Use" if meant else "use"
        raise part.at_fault(
            f"unknown part {part.text[:60]!r}: {advice} {', '.join(PRESETS)}, NAME.toml, "
            f"or one of {kinds} joined with +"
        )
    return Choices(part.read())


def _choices_of_file(path: Path) -> Choices:
    """What a TOML file gives; the paths of traces in it may be relative to its folder."""
    table = read_toml(path, limit=MAX_FILE_BYTES)
    try:
        trace = table.get("trace")
        holder, key = (trace, "path") if isinstance(trace, dict) else (table, "trace")
        name = holder.get(key)
        if isinstance(name, str) and (path.parent / name).is_file():
            holder[key] = str(path.parent / name)
        parts = parts_of_table(table)
        return merged((part, _choices_in(part)) for part in parts)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None

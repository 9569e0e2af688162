"""Reference pages from the programs themselves, at build time: what they say cannot drift from what they do.

A line `<!-- command line: NAME -->` of a page becomes every option of `python -m NAME`; `<!-- channel presets -->`,
`<!-- channel parts -->` and `<!-- codecs -->` become tables of what there is. Docstrings become what Sphinx reads:
marks that it would take for markup are escaped, indented blocks are shown as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import typer
from sphinx.application import Sphinx

from channel_sim.packet_words import KINDS
from channel_sim.presets import PRESETS
from progressive.registry import CODECS

_COMMAND_LINE = re.compile(r"^<!-- command line: (\w+) -->$", re.MULTILINE)
_SECTION = re.compile(r"^\w[\w ]*:$")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("source-read", _fill_in)
    app.connect("autodoc-process-docstring", _as_restructured_text, priority=100)
    app.connect("autodoc-process-docstring", _without_type, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill_in(_app: Sphinx, _page: str, source: list[str]) -> None:
    text = _COMMAND_LINE.sub(lambda found: "\n".join(command_line(found[1])), source[0])
    for name, lines in _TABLES.items():
        text = text.replace(f"<!-- {name} -->", "\n".join(lines()))
    source[0] = text


def command_line(program: str) -> Iterator[str]:
    """Markdown about `python -m program`, its commands one after the other."""
    command: Any = typer.main.get_command(import_module(f"{program}.__main__").app)
    if not hasattr(command, "commands"):
        yield from _command(f"python -m {program}", command)
        return
    for name, part in command.commands.items():
        yield f"### {program} {name}"
        yield ""
        yield from _command(f"python -m {program} {name}", part)


def _command(call: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    words = [p.metavar or p.name.upper() if p.required else f"[{p.metavar or p.name.upper()}]" for p in arguments]
    yield _plain(" ".join((command.help or "").split("\n\n")))
    yield ""
    yield f"```text\n{' '.join([call, *words, *(['[OPTIONS]'] if options else [])])}\n```"
    yield ""
    rows = [(f"`{p.metavar or p.name.upper()}`", _plain(p.help or ""), "required" if p.required else "")
            for p in arguments if p.help]  # fmt: skip
    rows += [(_names(p), _plain(p.help or ""), _default(p)) for p in options]
    if rows:
        yield from _table(("", "what", "default"), rows)
        yield ""


def _names(option: Any) -> str:
    number = getattr(option.type_descriptor, "annotation", str) is int
    value = "" if option.is_flag else f" {option.metavar or ('N' if number else option.name.upper())}"
    return ", ".join(f"`{name}{value}`" for name in (*option.opts, *option.secondary_opts))


def _default(option: Any) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return _plain(option.show_default)
    if not option.show_default or option.is_flag or option.default is None or callable(option.default):
        return ""
    return f"`{option.default}`"


def _presets() -> Iterator[str]:
    rows = [(f"`{name}`", _plain(f"{p.summary}: {p.settings}"), _plain(p.source)) for name, p in PRESETS.items()]
    yield from _table(("preset", "what", "source of its parameters"), rows)


def _parts() -> Iterator[str]:
    def further(kind: Any) -> list[str]:
        return [f"`{key}=`" for key in kind.keys if key != kind.first and f"{key}=" not in kind.example]

    yield from _table(("part", "further keys"), [(f"`{k.example}`", ", ".join(further(k))) for k in KINDS.values()])


def _codecs() -> Iterator[str]:
    rows = [(f"`{name}`", str(entry.number), _plain(entry.summary)) for name, entry in CODECS.items()]
    yield from _table(("codec", "number in streams", "what"), rows)


_TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "channel presets": _presets,
    "channel parts": _parts,
    "codecs": _codecs,
}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, ("-",) * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _plain(text: str) -> str:
    return re.sub(r"([*_<>|\[\]#])", r"\\\1", " ".join(text.split()))


_VALUES = {"data", "attribute", "property"}
_docstrings: dict[str, list[str]] = {}


def _without_type(_app: Sphinx, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Undoes what napoleon makes of a value's docstring: it takes what stands before a colon for the type."""
    if what in _VALUES:
        lines[:] = _docstrings.pop(name)


def _as_restructured_text(_app: Sphinx, what: str, name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    shown: list[str] = []
    section = literal = False
    for line in lines:
        indented = line.startswith(" ")
        if line and not indented:
            section, literal = bool(_SECTION.match(line)), False
        elif indented and not section and not literal and (not shown or not shown[-1]):
            shown += ["::", ""]
            literal = True
        shown.append(line if literal else _without_markup(line))
    lines[:] = shown
    if what in _VALUES:
        _docstrings[name] = shown


def _without_markup(line: str) -> str:
    pieces = re.split(r"(`[^`]*`)", line)
    return "".join(
        f"`{piece}`" if piece.startswith("`") else re.sub(r"([*|]|_(?=\W|$))", r"\\\1", piece) for piece in pieces
    )

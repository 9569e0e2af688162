"""What a run shows while it goes: live on a terminal, plain lines elsewhere, or events as JSON lines.

Sender and receiver decide what to say; the classes here decide how.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from progressive.files import is_standard
from progressive.shell.qr_code import qr_code

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table

WIDEST = 10_000
"""Letters in a line of a table that is piped: more than any path has."""

ARRIVED, LOST, RECOVERED = "■", "x", "+"
"""The fates of packets in a trace."""

_TRACE_STYLES = {ARRIVED: "green", LOST: "bold red", RECOVERED: "bold cyan"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one stream has come.

    Fields:
        name: of the photo or the receiver.
        share: of the segments that are there, 0..1.
        text: the figures in words.
        trace: one mark a packet (ARRIVED, LOST, RECOVERED), the latest last; empty if that is not known.
    """

    name: str
    share: float
    text: str
    trace: str = ""


def printable(text: str) -> str:
    """The text as a terminal may show it: what is no character, such as an escape sequence in a name, is a `?`."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def say(text: str) -> None:
    """A line on standard output."""
    sys.stdout.write(f"{printable(text)}\n")
    sys.stdout.flush()


def say_beside(output: Path) -> Callable[[str], None]:
    """`say`, or where the output itself goes to standard output, the same on standard error."""
    if not is_standard(output):
        return say
    return say_on_standard_error


def say_on_standard_error(text: str) -> None:
    sys.stderr.write(f"{printable(text)}\n")
    sys.stderr.flush()


def print_table(table: Table) -> None:
    """On standard output, nothing of it cut: a terminal has folds in what is long, anything else long lines."""
    from rich.console import Console

    for column in table.columns:
        column.overflow = "fold"
    Console(width=None if sys.stdout.isatty() else WIDEST).print(table)


def once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """The same, of which only the first of equal lines is told."""
    told: set[str] = set()

    def first_time(line: str) -> None:
        if line not in told:
            told.add(line)
            tell(line)

    return first_time


class Display:
    """Plain lines on standard output; the base of the other displays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def settings(self, settings: Mapping[str, str]) -> None:
        """The header of a run: every setting in parsed form."""
        width = max(map(len, settings), default=0)
        for name, value in settings.items():
            self.note(f"{name:<{width}}  {value}")

    def note(self, text: str) -> None:
        """A line that a person should read: what was changed, what is wrong."""
        self._print(text, sys.stdout)

    def link(self, text: str, url: str) -> None:
        """A line with an address for browsers; on a terminal also as a code for the cameras of phones."""
        self.note(text)

    def event(self, record: Mapping[str, Any], text: str) -> None:
        """Something happened: `record` for programs, `text` for people."""
        self.note(text)

    def observe(self, event: object) -> None:
        """Something happened in a session, too small to be told: for the viewer, counters, whoever looks closely."""

    def progress(self, rows: Sequence[Progress]) -> None:
        """The present state of all streams, called as often as it changes."""

    def summary(self, text: str) -> None:
        """The line that closes a run."""
        self.note(text)

    @staticmethod
    def _print(text: str, stream: IO[str]) -> None:
        stream.write(f"{printable(text)}\n")
        stream.flush()


class NotesBehindSettings:
    """Keeps what is noted while a run is made ready, and tells it once its settings were told."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._waiting: list[str] | None = []

    def note(self, text: str) -> None:
        if self._waiting is None:
            self._display.note(text)
        else:
            self._waiting.append(text)

    def settings(self, settings: Mapping[str, str]) -> None:
        waiting, self._waiting = self._waiting or [], None
        self._display.settings(settings)
        for text in waiting:
            self._display.note(text)


class Displays(Display):
    """Several displays as one: each is told everything, in their order."""

    def __init__(self, members: Sequence[Display]) -> None:
        self._members = list(members)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as entered:
            for member in self._members:
                entered.enter_context(member)
            self._open = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def settings(self, settings: Mapping[str, str]) -> None:
        for member in self._members:
            member.settings(settings)

    def note(self, text: str) -> None:
        for member in self._members:
            member.note(text)

    def link(self, text: str, url: str) -> None:
        for member in self._members:
            member.link(text, url)

    def event(self, record: Mapping[str, Any], text: str) -> None:
        for member in self._members:
            member.event(record, text)

    def observe(self, event: object) -> None:
        for member in self._members:
            member.observe(event)

    def progress(self, rows: Sequence[Progress]) -> None:
        for member in self._members:
            member.progress(rows)

    def summary(self, text: str) -> None:
        for member in self._members:
            member.summary(text)


class QuietDisplay(Display):
    """Says nothing: the output folder and the exit status tell."""

    def note(self, text: str) -> None:
        pass


class JsonDisplay(Display):
    """Events as JSON lines on standard output and nothing else there; lines for people go to standard error."""

    def note(self, text: str) -> None:
        self._print(text, sys.stderr)

    def event(self, record: Mapping[str, Any], text: str) -> None:
        self._print(json.dumps(record, allow_nan=False), sys.stdout)


class LiveDisplay(Display):
    """A terminal: a bar, the figures and the fates of the latest packets for each stream, redrawn in place."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console()
        self._live: Live = Live(console=self._console, refresh_per_second=10, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def settings(self, settings: Mapping[str, str]) -> None:
        from rich.table import Table
        from rich.text import Text

        table = Table.grid(padding=(0, 2))
        for name, value in settings.items():
            table.add_row(Text(name, style="dim"), Text(printable(value)))
        self._live.console.print(table)

    def note(self, text: str) -> None:
        from rich.text import Text

        self._live.console.print(Text(printable(text)))

    def link(self, text: str, url: str) -> None:
        from rich.text import Text

        self.note(text)
        if code := qr_code(url):
            self._live.console.print(Text(code, style="black on bright_white"))

    def event(self, record: Mapping[str, Any], text: str) -> None:
        """The figures in `progress` say it already."""

    def progress(self, rows: Sequence[Progress]) -> None:
        from rich.console import Group

        self._live.update(Group(*(part for row in rows for part in self._render(row))))

    def _render(self, row: Progress) -> list[RenderableType]:
        from rich.table import Table
        from rich.text import Text

        line = Table.grid(padding=(0, 2))
        line.add_row(Text(printable(row.name), style="bold"), _bar(row.share))
        parts: list[RenderableType] = [line, Text(printable(row.text))]
        if row.trace:
            trace = Text()
            for mark in row.trace[-(self._console.width - 1) :]:
                trace.append(mark, style=_TRACE_STYLES.get(mark, ""))
            parts.append(trace)
        return parts


def _bar(share: float) -> ProgressBar:
    """In colours that a terminal of 16 has, where the usual green of a full bar becomes the grey of an empty one."""
    from rich.progress_bar import ProgressBar

    return ProgressBar(total=1.0, completed=share, width=28, complete_style="magenta", finished_style="green")


def make_display(*, as_json: bool, quiet: bool) -> Display:
    """The display that suits the call and where standard output goes."""
    if as_json:
        return JsonDisplay()
    if quiet:
        return QuietDisplay()
    return LiveDisplay() if sys.stdout.isatty() else Display()

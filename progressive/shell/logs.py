"""A run's log: one JSON object a line, for programs that watch over runs of days."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from typing import Any, TextIO

from progressive.errors import UsageError
from progressive.files import reason
from progressive.shell.display import Display, Displays, QuietDisplay

LOGGER = logging.getLogger("progressive")

_TOKEN = re.compile(r"#token=\S+")  # lets people in: for their eyes, not for files that others read


class JsonLines(logging.Formatter):
    """`time` in UTC, `level`, `message`, and the fields of an event beside them."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "level": record.levelname.lower(), "message": record.getMessage()}
        line = json.dumps(entry | getattr(record, "fields", {}), ensure_ascii=False)
        return line.encode(errors="backslashreplace").decode()  # a name that is no UTF-8 stays JSON


class _TellingOnce(logging.Handler):
    """Says once, in a line, that nothing can be written, where `logging` prints a traceback for every record."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, as its base has it
        error = sys.exc_info()[1]
        if self._told:
            return
        self._told = True
        with suppress(OSError, ValueError):
            why = reason(error) if isinstance(error, OSError) else str(error)
            sys.stderr.write(f"the log cannot be written: {why}\n")


class _LogFile(_TellingOnce, WatchedFileHandler):
    def close(self) -> None:
        with suppress(OSError):  # what is still buffered has no place on a full disk
            super().close()


class _LogStream(_TellingOnce, logging.StreamHandler[TextIO]):
    pass


class LogDisplay(QuietDisplay):
    """Logs what a run says."""

    def settings(self, settings: Mapping[str, str]) -> None:
        LOGGER.info("settings", extra={"fields": {"settings": dict(settings)}})

    def note(self, text: str) -> None:
        level = logging.ERROR if text.startswith("error: ") else logging.INFO
        LOGGER.log(level, _TOKEN.sub("#token=..", text.removeprefix("error: ")))

    def event(self, record: Mapping[str, Any], text: str) -> None:
        LOGGER.info(" ".join(text.split()), extra={"fields": {"event": dict(record)}})


@contextmanager
def logged(display: Display, path: str | None) -> Iterator[Display]:
    """The display and a log beside it, appended to a file; `-` is standard error, None no log.

    The file may be moved away while the run goes on, as logrotate does. Raises UsageError if it cannot be written.
    """
    if path is None:
        yield display
        return
    try:
        handler: logging.Handler = _LogStream() if path == "-" else _LogFile(path, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write the log {path}: {reason(error)}") from None
    handler.setFormatter(JsonLines())
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield Displays([display, LogDisplay()])
    except Exception as error:
        LOGGER.error(str(error))  # noqa: TRY400, a person reads why, not where
        raise
    finally:
        LOGGER.removeHandler(handler)
        handler.close()

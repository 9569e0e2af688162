"""Files are written whole or not at all, and sizes are checked before memory is taken; `-` is a standard stream."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from progressive.errors import ProgressiveError, RunError, UsageError

STANDARD = "-"
"""In place of a file: standard input, or standard output."""

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The file's content, or of `-` what comes on standard input; raises UsageError if it cannot be read or holds more
    than `limit` bytes."""
    name = input_name(path)
    try:
        if is_standard(path):
            data = _standard_input(limit + 1)
        else:
            with path.open("rb") as file:
                data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {name}: {reason(error)}") from error
    except ValueError as error:  # such as a zero byte
        raise UsageError(f"cannot read {str(path)!r}: no file can have such a name") from error
    if len(data) > limit:
        raise UsageError(f"cannot read {name}: it is larger than {limit} bytes")
    return data


def is_standard(path: Path | str) -> bool:
    """Whether a standard stream is meant."""
    return str(path) == STANDARD


def input_name(path: Path | str) -> str:
    """What is read, for people."""
    return "standard input" if is_standard(path) else str(path)


def output_name(path: Path | str) -> str:
    """Where is written, for people."""
    return "standard output" if is_standard(path) else str(path)


@contextmanager
def as_file(path: Path | str, *, limit: int) -> Iterator[Path]:
    """The path, or for `-` that of a passing file with what comes on standard input; raises UsageError as
    `read_bytes` does."""
    if not is_standard(path):
        yield Path(path)
        return
    with tempfile.NamedTemporaryFile(prefix="progressive-") as file:
        file.write(read_bytes(Path(path), limit=limit))
        file.flush()
        yield Path(file.name)


def write_atomically(path: Path, data: bytes) -> None:
    """Puts the data into the file, or for `-` on standard output; on failure the file is as it was before.

    Raises UsageError if the place cannot be written, RunError if the disk is full or fails.
    """
    check_writable(path)
    if is_standard(path):
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    partial = _partial(path)
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise _write_error(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def write_result(path: Path, data: bytes) -> None:
    """As `write_atomically`, at the end of work before which the place was fine: RunError, whatever is wrong now."""
    try:
        write_atomically(path, data)
    except UsageError as error:
        raise RunError(f"{error}: it was there when the run began") from error


def read_toml(path: Path, *, limit: int) -> dict[str, Any]:
    """The content of a TOML file of at most `limit` bytes; raises UsageError if it cannot be read or is none."""
    data = read_bytes(path, limit=limit)
    try:
        return tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path} is not TOML that can be read: it is nested too deeply") from None


def check_writable(path: Path) -> None:
    """Raises UsageError if a file could not be put there: asked before long work whose result goes there."""
    if is_standard(path):
        if sys.stdout.isatty():
            raise UsageError("standard output is a terminal, where a file is no use: name a file, or pipe it on")
        return
    if path.exists() and not path.is_file():
        raise UsageError(f"cannot write {path}: it is not a regular file")
    partial = _partial(path)
    try:
        partial.touch()
        partial.unlink()
    except OSError as error:
        raise _write_error(path, error) from error


def reason(error: OSError) -> str:
    """What the system says went wrong, in its own words."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def _standard_input(size: int) -> bytes:
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError("nothing comes on standard input: pipe a file in, or name one")
    return sys.stdin.buffer.read(size)


def _partial(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}-{threading.get_ident()}.partial")


def _write_error(path: Path, error: OSError) -> ProgressiveError:
    kind = RunError if error.errno in _DISK_ERRORS else UsageError
    return kind(f"cannot write {path}: {reason(error)}")

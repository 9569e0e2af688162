"""Files are written whole or not at all, and sizes are checked before memory is taken."""

from __future__ import annotations

import errno
import os
import threading
import tomllib
from pathlib import Path
from typing import Any

from progressive.errors import ProgressiveError, RunError, UsageError

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}


def read_bytes(path: Path, *, limit: int) -> bytes:
    """The file's content; raises UsageError if it cannot be read or holds more than `limit` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason(error)}") from error
    except ValueError as error:  # such as a zero byte
        raise UsageError(f"cannot read {str(path)!r}: no file can have such a name") from error
    if len(data) > limit:
        raise UsageError(f"cannot read {path}: it is larger than {limit} bytes")
    return data


def write_atomically(path: Path, data: bytes) -> None:
    """Puts the data into the file; on failure the file is as it was before.

    Raises UsageError if the place cannot be written, RunError if the disk is full or fails.
    """
    check_writable(path)
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


def _partial(path: Path) -> Path:
    return path.with_name(f".{os.getpid()}-{threading.get_ident()}.partial")


def _write_error(path: Path, error: OSError) -> ProgressiveError:
    kind = RunError if error.errno in _DISK_ERRORS else UsageError
    return kind(f"cannot write {path}: {reason(error)}")

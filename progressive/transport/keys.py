"""Key files: one secret that the two ends of a stream share, as a line of hexadecimal digits."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from progressive.errors import RunError, UsageError
from progressive.files import read_bytes, reason
from progressive.wire.envelope import KEY_SIZE

_LONGEST_FILE = 1024


def write_new_key(path: Path) -> None:
    """Draws a key and puts it into a new file that only its owner can read.

    Raises UsageError if the file exists or cannot be made, RunError if the disk is full or fails.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists, and a key is never overwritten: choose another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {reason(error)}") from error
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(KEY_SIZE) + "\n")
    except OSError as error:
        path.unlink(missing_ok=True)
        raise RunError(f"cannot write {path}: {reason(error)}") from error


def read_key(path: Path) -> bytes:
    """The key in a file; raises UsageError if it holds none, or if everybody on this machine can read it."""
    text = read_bytes(path, limit=_LONGEST_FILE)
    if path.stat().st_mode & stat.S_IROTH:
        raise UsageError(f"everybody can read the key in {path}: run chmod 600 on it")
    try:
        key = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        key = b""
    if len(key) != KEY_SIZE:
        raise UsageError(f"{path} holds no key: make one with python -m progressive keygen FILE, and copy it")
    return key

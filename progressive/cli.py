"""What every command line shares: errors become one line on standard error and an exit status, never a traceback."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import typer

from progressive.errors import ProgressiveError, UsageError

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_CALL = 2
EXIT_INTERRUPTED = 130


def run(app: typer.Typer) -> NoReturn:
    """Runs the command line of this process and exits.

    Status 0: done; 1: failed while running; 2: the call was wrong; 130: interrupted from the keyboard. A command may
    return another status as an int.
    """
    try:
        sys.exit(_status(app))
    finally:
        _flush_quietly()


def _status(app: typer.Typer) -> int:
    try:
        result = typer.main.get_command(app).main(standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message().rstrip(".")
        return _refuse(f"{message} (see --help)", error.exit_code) if message else error.exit_code
    except UsageError as error:
        return _refuse(str(error), EXIT_WRONG_CALL)
    except ProgressiveError as error:
        return _refuse(str(error), EXIT_FAILED)
    except BrokenPipeError:
        return EXIT_FAILED
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        return _refuse(f"{error.strerror or error}{where}", EXIT_FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else EXIT_DONE


def _refuse(message: str, status: int) -> int:
    """Prints the message on one line, free of control characters that a file name or a peer could bring."""
    line = " ".join(message.split())
    sys.stderr.write("error: " + "".join(c if c.isprintable() else "?" for c in line) + "\n")
    return status


def _flush_quietly() -> None:
    """Whoever read our output may have gone (`| head`): what is still buffered then goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

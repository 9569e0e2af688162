"""What every command line shares: errors become one line on standard error and an exit status, never a traceback."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer

from progressive import __version__
from progressive.errors import ProgressiveError, UsageError
from progressive.runtime.background import is_computing
from progressive.shell.display import printable, say
from progressive.shell.settings_file import take_environment
from progressive.suggestions import nearest

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_CALL = 2
EXIT_INTERRUPTED = 130
EXIT_TERMINATED = 143

OPTIONAL_VALUES = {"--view": "127.0.0.1:8080"}
"""Options that may be given without a value, and the one they have then."""

_ADDRESS = re.compile(r"(\S+:)?\d+")

NUMBERS = {
    "greater_than_equal": "is too small: use {ge} or more",
    "less_than_equal": "is too large: use {le} or less",
    "int_parsing": "is no whole number: use such as 8",
    "int_from_float": "is no whole number: use such as 8",
    "float_parsing": "is no number: use such as 0.5",
}
"""What is wrong with a number, by what the library for command lines calls it."""


def run(app: typer.Typer, *, program: str = "") -> NoReturn:
    """Runs the command line of this process and exits.

    Status 0: done; 1: failed while running; 2: the call was wrong; 130: interrupted from the keyboard; 143: stopped by
    SIGTERM, which is told to whatever runs as Ctrl-C is. A command may return another status as an int.

    Args:
        app: the command or commands.
        program: name under which the environment holds values for the options; none are taken if it is empty.
    """
    _open_streams()
    try:
        with gentle_termination() as terminated:
            status = _status(app, program)
        status = EXIT_TERMINATED if status == EXIT_INTERRUPTED and terminated.is_set() else status
    finally:
        _flush_quietly()
    if is_computing():
        os._exit(status)  # a thread in native code can neither be stopped nor be left alone by a closing interpreter
    sys.exit(status)


@contextmanager
def gentle_termination() -> Iterator[threading.Event]:
    """SIGTERM does what Ctrl-C does, so that what was received is kept; the event tells that it came."""
    terminated = threading.Event()

    def stop(_number: int, frame: FrameType | None) -> None:
        terminated.set()
        interrupt = signal.getsignal(signal.SIGINT)
        assert callable(interrupt)
        interrupt(signal.SIGINT, frame)

    if threading.current_thread() is not threading.main_thread():
        yield terminated
        return
    with _ctrl_c_known():
        before = signal.signal(signal.SIGTERM, stop)
        try:
            yield terminated
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _ctrl_c_known() -> Iterator[None]:
    """Where Ctrl-C is ignored, as in the background of a shell, it stays so, but what it would do is known."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments with the values that options have which were given without one."""
    completed: list[str] = []
    for place, argument in enumerate(arguments):
        completed.append(argument)
        following = arguments[place + 1] if place + 1 < len(arguments) else ""
        if argument in OPTIONAL_VALUES and not _ADDRESS.fullmatch(following):
            completed.append(OPTIONAL_VALUES[argument])
    return completed


def _status(app: typer.Typer, program: str) -> int:
    try:
        command = command_of(app)
        if program:
            take_environment(command, program)
        result = command.main(args=_with_values(sys.argv[1:]), standalone_mode=False)
    except typer.TyperException as error:
        message = _in_words(error).rstrip(".")
        return _refuse(f"{message} (see --help)", error.exit_code) if message else error.exit_code
    except ProgressiveError as error:
        tell_error(error)
        return EXIT_WRONG_CALL if isinstance(error, UsageError) else EXIT_FAILED
    except BrokenPipeError:
        return EXIT_FAILED
    except OSError as error:
        where = "" if error.filename is None else f": {error.filename}"
        return _refuse(f"{error.strerror or error}{where}", EXIT_FAILED)
    except (KeyboardInterrupt, typer.Abort):
        return EXIT_INTERRUPTED
    return result if isinstance(result, int) else EXIT_DONE


def command_of(app: typer.Typer) -> Any:
    """The command line of an app, which knows `-h` and `--version`, as do its commands."""
    command: Any = typer.main.get_command(app)
    command.context_settings = {**command.context_settings, "help_option_names": ["--help", "-h"]}
    for each in (command, *getattr(command, "commands", {}).values()):
        each.params.append(_version_option())
    return command


def _version_option() -> Any:
    app = typer.Typer(add_completion=False)

    @app.command()
    def command(_version: Annotated[bool, VERSION] = False) -> None: ...

    made: Any = typer.main.get_command(app)
    return made.params[0]


def _tell_version(wanted: bool) -> None:
    if wanted:
        say(f"progressive {__version__}")
        raise typer.Exit


VERSION: Any = typer.Option(
    "--version", is_eager=True, expose_value=False, callback=_tell_version, help="Show the version and exit."
)


def _in_words(error: typer.TyperException) -> str:
    """What is wrong with the call; of a mistyped option, which one was probably meant, of a number, what it may be."""
    option, known = getattr(error, "option_name", ""), getattr(error, "possibilities", None)
    meant = nearest(option, known or ())
    return f"No such option: {option}, did you mean {meant}?" if meant else _of_value(error) or error.format_message()


def _of_value(error: typer.TyperException) -> str:
    """What is wrong with the number that was given for an option; empty if it is something else."""
    from pydantic import ValidationError

    param, cause = getattr(error, "param", None), error.__cause__
    if param is None or not isinstance(cause, ValidationError):
        return ""
    wrong = cause.errors()[0]
    words = NUMBERS.get(wrong["type"])
    given = f"{'/'.join(param.opts)} {wrong['input']}"
    return f"{given} {words.format(**wrong.get('ctx', {}))}" if words else ""


def tell_error(error: ProgressiveError) -> None:
    """Prints why a run failed on standard error, unless that was done already."""
    if not error.told:
        error.told = True
        _refuse(str(error), EXIT_FAILED)


def _refuse(message: str, status: int) -> int:
    """Prints the message on one line, free of control characters that a file name or a peer could bring."""
    sys.stderr.write(f"error: {printable(' '.join(message.split()))}\n")
    return status


def _open_streams() -> None:
    """Output may be closed, and then goes nowhere, or know few letters: what it cannot write is a `?`."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            nowhere = Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8")  # noqa: SIM115
            setattr(sys, name, nowhere)
        elif name != "stdin" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _flush_quietly() -> None:
    """Whoever read our output may have gone (`| head`): what is still buffered then goes nowhere."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the reader has gone, or the disk is full
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated

import pytest
import typer

import channel_sim.__main__
import progressive.__main__
import receiver.__main__
import sender.__main__
from progressive import __version__
from progressive.errors import BitstreamError, ProgressiveError, RunError, UsageError, WireError
from progressive.shell import cli


def status_of(command: Callable[..., object], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    app = typer.Typer()
    app.command()(command)
    monkeypatch.setattr(sys, "argv", ["program", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.run(app)
    assert isinstance(end.value.code, int)
    return end.value.code


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UsageError("no such\nphoto"), 2, "error: no such photo\n"),
        (RunError("the peer fell silent"), 1, "error: the peer fell silent\n"),
        (BitstreamError("cut"), 1, "error: cut\n"),
        (WireError("name \x1b[31mred"), 1, "error: name ?[31mred\n"),
        (ProgressiveError("any other"), 1, "error: any other\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/a.png"),
            1,
            "error: No space left on device: out/a.png\n",
        ),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
    ],
)
def test_an_error_is_one_line_and_a_status(
    error: BaseException, status: int, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command() -> None:
        raise error

    assert status_of(command, monkeypatch) == status
    assert capsys.readouterr() == ("", line)


def test_a_wrong_call_is_one_line_that_names_the_argument(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(photo: str, count: int = 1) -> None: ...

    for arguments, named in (((), "photo"), (("a", "--cuont", "1"), "--cuont"), (("a", "--count", "x"), "--count")):
        assert status_of(command, monkeypatch, *arguments) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("error: ")
        assert captured.err.count("\n") == 1
        assert named in captured.err


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("--count", "0"), "--count 0 is too small: use 1 or more"),
        (("--count", "7"), "--count 7 is too large: use 6 or less"),
        (("--count", "x"), "--count x is no whole number: use such as 8"),
        (("--count", "1.5"), "--count 1.5 is no whole number: use such as 8"),
        (("-r", "x"), "--rate/-r x is no number: use such as 0.5"),
    ],
)
def test_of_a_number_that_cannot_be_it_is_told_what_can(
    given: tuple[str, str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(
        count: Annotated[int, typer.Option(min=1, max=6)] = 1,
        rate: Annotated[float, typer.Option("--rate", "-r")] = 1.0,
    ) -> None: ...

    assert status_of(command, monkeypatch, *given) == 2
    assert capsys.readouterr().err == f"error: {says} (see --help)\n"


PROGRAMS = {
    "progressive": progressive.__main__.app,
    "sender": sender.__main__.app,
    "receiver": receiver.__main__.app,
    "channel_sim": channel_sim.__main__.app,
}


def calls_of(program: str) -> list[list[str]]:
    """The program, and each of its commands."""
    return [[], *([name] for name in getattr(cli.command_of(PROGRAMS[program]), "commands", {}))]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_tells_its_version_and_its_options(
    program: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for call in calls_of(program):
        for asked, told in (("--version", f"progressive {__version__}\n"), ("-h", "--help"), ("--help", "-h")):
            monkeypatch.setattr(sys, "argv", [program, *call, asked])
            with pytest.raises(SystemExit) as end:
                cli.run(PROGRAMS[program], program=program if program in {"sender", "receiver"} else "")
            assert end.value.code == 0
            assert told in capsys.readouterr().out


def test_of_a_mistyped_option_the_one_that_was_meant_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(bandwidth: str = "50kbps") -> None: ...

    assert status_of(command, monkeypatch, "--bandwith", "1") == 2
    assert capsys.readouterr().err == "error: No such option: --bandwith, did you mean --bandwidth? (see --help)\n"


def test_a_command_that_ends_well_may_choose_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave() -> None:
        raise typer.Exit(7)

    assert status_of(lambda: None, monkeypatch) == 0
    assert status_of(lambda: 130, monkeypatch) == 130
    assert status_of(leave, monkeypatch) == 7
    assert status_of(lambda: None, monkeypatch, "--help") == 0


def test_a_mistake_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        status_of(command, monkeypatch)


@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_early_hears_nothing(lines: int) -> None:
    program = f"""
import typer
from progressive.shell import cli
app = typer.Typer()
@app.command()
def command() -> None:
    input()
    for _ in range({lines}):
        print("line")
cli.run(app)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    process.stdin.write(b"go\n")
    process.stdin.close()
    with process:
        assert process.stderr.read() == b""
    assert process.returncode in (0, 1)


@pytest.mark.parametrize(("redirection", "encoding"), [(">&-", "utf-8"), (">&- 2>&-", "utf-8"), ("", "ascii")])
def test_output_that_is_closed_or_knows_few_letters_is_no_failure(redirection: str, encoding: str) -> None:
    script = (
        "import typer\nfrom progressive.shell import cli\nfrom progressive.shell.display import Display, say\n"
        "app = typer.Typer()\n"
        "@app.command()\ndef f() -> None:\n    Display().note('照片 \\udcff')\n    say('x')\ncli.run(app)\n"
    )
    process = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, script],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": encoding},
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, b"")
    assert process.stdout == (b"" if redirection else b"?? ?\nx\n")


def test_an_error_is_told_once(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        error = RunError("no sender came")
        cli.tell_error(error)
        raise error

    assert status_of(command, monkeypatch) == 1
    assert capsys.readouterr().err == "error: no sender came\n"


def test_where_ctrl_c_is_ignored_it_is_so_again_after_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def command() -> int:
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        os.kill(os.getpid(), signal.SIGTERM)
        return 0

    try:
        assert status_of(command, monkeypatch) == 143
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    finally:
        signal.signal(signal.SIGINT, before)

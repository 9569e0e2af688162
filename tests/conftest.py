import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import fake_codec
import pytest
from hypothesis import settings

from progressive.registry import CODECS
from progressive.shell import cli

settings.register_profile("house", deadline=None)  # how long an example takes says more of the machine than of us
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--codec", action="append", metavar="NAME", help="for test_codec_contract.py: or module:Class")


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is called in this process must not end it, whatever earlier tests have left computing."""
    monkeypatch.setattr(cli, "is_computing", lambda: False)


@pytest.fixture
def thumbnails(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a registered codec that is quick and simple."""
    monkeypatch.setitem(CODECS, "thumbnails", fake_codec.ENTRY)
    return "thumbnails"


@pytest.fixture
def thumbnails_with_looks(monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, whose natural look is the negative."""
    monkeypatch.setitem(CODECS, "thumbnails", replace(fake_codec.ENTRY, factory="fake_codec:ThumbnailCodecWithLooks"))
    return "thumbnails"


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


CommandLine = Callable[..., Outcome]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Calls a package's `main` with these arguments in this process, as its console script would."""

    def call_main(main: Callable[[], object], *arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(int(exit_.value.code or 0), captured.out, captured.err)

    return call_main

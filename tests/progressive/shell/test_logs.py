import json
from pathlib import Path

import pytest

from progressive.errors import RunError, UsageError
from progressive.shell.display import QuietDisplay
from progressive.shell.logs import logged


def entries(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_what_a_run_says_is_logged_a_line_each(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text('{"message": "of an earlier run"}\n')
    with logged(QuietDisplay(), str(path)) as display:
        display.settings({"bandwidth": "50 kbit/s"})
        display.note("photo 1: 8x8\nü")
        display.event({"time_s": 0.5, "psnr": None}, "   0.50 s  base")
        display.note("error: cannot read a.png")
        display.note("viewer at http://192.0.2.1:80/#token=secret")
        display.summary("done")
    before, *lines = entries(path)
    assert before == {"message": "of an earlier run"}
    assert [(line["level"], line["message"]) for line in lines] == [
        ("info", "settings"),
        ("info", "photo 1: 8x8\nü"),
        ("info", "0.50 s base"),
        ("error", "cannot read a.png"),
        ("info", "viewer at http://192.0.2.1:80/#token=.."),
        ("info", "done"),
    ]
    assert lines[0]["settings"] == {"bandwidth": "50 kbit/s"}
    assert lines[2]["event"] == {"time_s": 0.5, "psnr": None}
    assert all(str(line["time"]).endswith("+00:00") for line in lines)


def test_how_a_run_failed_is_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with pytest.raises(RunError), logged(QuietDisplay(), str(path)):
        raise RunError("the base did not arrive")
    assert (entries(path)[-1]["level"], entries(path)[-1]["message"]) == ("error", "the base did not arrive")


def test_a_log_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with logged(QuietDisplay(), str(path)) as display:
        display.note("before")
        path.rename(tmp_path / "run.jsonl.1")
        display.note("after")
    assert [line["message"] for line in entries(path)] == ["after"]


def test_standard_error_and_no_log(capsys: pytest.CaptureFixture[str]) -> None:
    quiet = QuietDisplay()
    with logged(quiet, None) as display:
        assert display is quiet
    with logged(quiet, "-") as display:
        display.note("hello")
    assert json.loads(capsys.readouterr().err)["message"] == "hello"


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="cannot write the log .*missing"),
        logged(QuietDisplay(), f"{tmp_path}/missing/a"),
    ):
        pass


def test_a_log_that_cannot_be_written_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    with logged(QuietDisplay(), "/dev/full") as display:
        for number in range(20):
            display.note(f"line {number}")
    assert capsys.readouterr().err == "the log cannot be written: no space left on device\n"

import io
import json
import re
import sys

import pytest

from progressive.shell.display import (
    Display,
    Displays,
    JsonDisplay,
    LiveDisplay,
    NotesBehindSettings,
    Progress,
    QuietDisplay,
    make_display,
    say,
)
from progressive.shell.qr_code import qr_code


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("as_json", "quiet", "terminal", "kind"),
    [
        (False, False, True, LiveDisplay),
        (False, False, False, Display),
        (True, False, True, JsonDisplay),
        (True, True, True, JsonDisplay),
        (False, True, True, QuietDisplay),
    ],
)
def test_the_display_suits_the_call(
    monkeypatch: pytest.MonkeyPatch, as_json: bool, quiet: bool, terminal: bool, kind: type[Display]
) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal() if terminal else io.StringIO())
    assert type(make_display(as_json=as_json, quiet=quiet)) is kind


def show_a_run(display: Display) -> None:
    with display:
        display.settings({"bandwidth": "50 kbit/s", "to": "[bold]nobody"})
        display.event({"time_s": 1.5}, "after 1.5 s")
        display.progress([Progress("astronaut", 0.5, "received 3", "■x+")])
        display.summary("done")


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    show_a_run(Display())
    assert capsys.readouterr().out.splitlines() == [
        "bandwidth  50 kbit/s",
        "to         [bold]nobody",
        "after 1.5 s",
        "done",
    ]


def test_what_is_noted_while_a_run_is_made_ready_comes_behind_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    notes = NotesBehindSettings(Display())
    notes.note("no broker answers")
    notes.settings({"from": "mqtt://"})
    notes.note("connected")
    assert capsys.readouterr().out.splitlines() == ["from  mqtt://", "no broker answers", "connected"]


def test_json_lines_are_events_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_a_run(JsonDisplay())
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"time_s": 1.5}
    assert captured.err.splitlines()[-1] == "done"


def test_a_terminal_shows_settings_figures_and_the_fates_of_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    show_a_run(LiveDisplay())
    text = terminal.getvalue()
    for part in ("50 kbit/s", "[bold]nobody", "astronaut", "received 3", "■", "done"):
        assert part in text


def test_the_bar_of_what_has_come_whole_is_no_grey_one_in_16_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    screen, display = io.StringIO(), LiveDisplay()
    monkeypatch.setattr(
        display, "_console", Console(file=screen, force_terminal=True, color_system="standard", width=80)
    )
    for share in (1.0, 0.0):
        for part in display._render(Progress("photo", share, "")):
            display._console.print(part)
    whole, none = (line for line in screen.getvalue().splitlines() if "━" in line)
    colours = [re.findall(r"\x1b\[(\d+)m━", line) for line in (whole, none)]
    assert len(colours[0]) == len(colours[1]) == 1
    assert colours[0] != colours[1]


def test_escape_sequences_of_names_never_reach_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    Display().note("a\x1b[31m\x9b\u202eb\nc")
    say("\x1b]0;title\x07")
    with LiveDisplay() as live:
        live.settings({"source": "a\x1b[31m"})
        live.note("a\x1b[31m")
        live.progress([Progress("a\x1b[31m", 0.5, "\x1b[31m")])
    assert not re.findall("\x1b\\[31m|[\x9b\u202e\x07]", capsys.readouterr().out)


def test_an_address_is_a_line_and_on_a_terminal_a_code_for_phones(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Displays([Display()]).link("serving at here", "http://10.0.0.1:80/")
    assert capsys.readouterr().out == "serving at here\n"
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    with LiveDisplay() as live:
        live.link("serving at here", "http://10.0.0.1:80/")
    assert "serving at here" in terminal.getvalue()
    assert qr_code("http://10.0.0.1:80/").split("\n")[1] in terminal.getvalue()

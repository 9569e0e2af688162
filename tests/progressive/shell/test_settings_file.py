from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from conftest import CommandLine

from progressive.shell import cli
from progressive.shell.settings_file import SETTINGS

taken: dict[str, Any] = {}


def command(
    source: Annotated[str | None, typer.Argument()] = None,
    bandwidth: Annotated[str, typer.Option()] = "50kbps",
    seed: Annotated[int, typer.Option()] = 0,
    to: Annotated[list[str] | None, typer.Option()] = None,
    one_way: Annotated[bool, typer.Option("--one-way")] = False,
    repair: Annotated[bool | None, typer.Option("--repair/--no-repair")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    view: Annotated[str | None, typer.Option()] = None,
    _settings: Annotated[Path | None, SETTINGS] = None,
) -> None:
    taken.update({name: value for name, value in locals().items() if not name.startswith("_")})


def main() -> None:
    app = typer.Typer()
    app.command()(command)
    cli.run(app, program="sender")


@pytest.fixture(autouse=True)
def empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    taken.clear()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_flags_win_over_the_environment_which_wins_over_the_file(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, empty_folder: Path
) -> None:
    write(
        empty_folder / "progressive.toml",
        '[sender]\nsource = "a.png"\nbandwidth = "1kbps"\nseed = 1\none-way = true\nrepair = false\njson = true\n'
        'to = ["udp://a:1", "udp://b:2"]\n[receiver]\nview = "8080"\n',
    )
    monkeypatch.setenv("PROGRESSIVE_SENDER_BANDWIDTH", "2kbps")
    monkeypatch.setenv("PROGRESSIVE_SENDER_SEED", "2")
    monkeypatch.setenv("PROGRESSIVE_RECEIVER_VIEW", "9")
    assert call(main, "--seed", 3).status == 0
    assert taken == {
        "source": "a.png",
        "bandwidth": "2kbps",
        "seed": 3,
        "to": ["udp://a:1", "udp://b:2"],
        "one_way": True,
        "repair": False,
        "as_json": True,
        "view": None,
    }


def test_a_named_file_takes_the_place_of_the_one_in_the_folder(call: CommandLine, empty_folder: Path) -> None:
    write(empty_folder / "progressive.toml", "[sender]\nseed = 1\n")
    other = write(empty_folder / "other.toml", '[sender]\nbandwidth = "9kbps"\n')
    assert call(main, "--settings", other).status == 0
    assert (taken["seed"], taken["bandwidth"]) == (0, "9kbps")


def test_the_environment_sets_flags_too(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRESSIVE_SENDER_ONE_WAY", "1")
    monkeypatch.setenv("PROGRESSIVE_SENDER_JSON", "true")
    monkeypatch.setenv("PROGRESSIVE_SENDER_TO", "udp://a:1 udp://b:2")
    assert call(main).status == 0
    assert (taken["one_way"], taken["as_json"], taken["to"]) == (True, True, ["udp://a:1", "udp://b:2"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "[sender]\nbandwith = 1\n",
            "'bandwith' is no setting of the sender: did you mean bandwidth? Use one of bandwidth, json",
        ),
        ("[sender", "is not TOML"),
        ("seed = 1\n", "put settings into the tables [sender] and [receiver]"),
        ("sender = 1\n", "put settings into the tables"),
        ("[sender]\nsettings = 'x'\n", "'settings' is no setting"),
        ("[sender]\nseed = 'many'\n", "--seed many is no whole number: use such as 8"),
        (b"\xff".decode("latin1"), "is not TOML"),
    ],
)
def test_a_wrong_file_is_one_line_and_status_2(call: CommandLine, empty_folder: Path, text: str, says: str) -> None:
    path = empty_folder / "wrong.toml"
    path.write_bytes(text.encode("latin1"))
    outcome = call(main, "--settings", path)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert not taken


def test_a_missing_file_is_named(call: CommandLine) -> None:
    outcome = call(main, "--settings", "missing.toml")
    assert (outcome.status, outcome.err) == (2, "error: cannot read missing.toml: no such file or directory\n")


@pytest.mark.parametrize(
    ("arguments", "view", "source"),
    [
        (["--view"], "127.0.0.1:8080", None),
        (["--view", "photo.png"], "127.0.0.1:8080", "photo.png"),
        (["--view", "0.0.0.0:80", "photo.png"], "0.0.0.0:80", "photo.png"),
        (["--view", "9000"], "9000", None),
        (["--view=[::1]:80"], "[::1]:80", None),
        (["--view", "--one-way"], "127.0.0.1:8080", None),
    ],
)
def test_the_viewer_needs_no_address(
    call: CommandLine, arguments: list[str], view: str | None, source: str | None
) -> None:
    assert call(main, *arguments).status == 0
    assert (taken["view"], taken["source"]) == (view, source)


def test_a_file_of_the_working_folder_is_not_used_in_silence(call: CommandLine, empty_folder: Path) -> None:
    file = write(empty_folder / "progressive.toml", '[sender]\nbandwidth = "1kbps"\nseed = 4\n')
    assert call(main).err == "settings from progressive.toml in this folder: bandwidth, seed\n"
    assert call(main, "--settings", file).err == ""
    write(file, "[receiver]\nview = '1'\n")
    assert call(main).err == ""


def test_a_file_nested_too_deeply_is_refused_in_a_line(call: CommandLine, empty_folder: Path) -> None:
    write(empty_folder / "progressive.toml", "sender = " + "[" * 100_000)
    outcome = call(main)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)

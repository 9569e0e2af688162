"""What stands in `examples/operation` is accepted by the programs."""

import configparser
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

import receiver.__main__
import sender.__main__
from progressive.shell.settings_file import take_environment

FOLDER = Path(__file__).parents[1] / "examples" / "operation"
APPS = {"sender": sender.__main__.app, "receiver": receiver.__main__.app}


def options_of(program: str) -> set[str]:
    command: Any = typer.main.get_command(APPS[program])
    return {option.removeprefix("--") for parameter in command.params for option in getattr(parameter, "opts", ())}


@pytest.mark.parametrize("program", APPS)
def test_the_settings_are_settings_of_the_programs(program: str) -> None:
    table = tomllib.loads((FOLDER / "progressive.toml").read_text())[program]
    assert set(table) <= options_of(program) | {"source"}


@pytest.mark.parametrize("program", APPS)
def test_every_option_can_be_in_the_environment_under_a_name_of_its_own(program: str) -> None:
    command: Any = typer.main.get_command(APPS[program])
    take_environment(command, program)
    names = [parameter.envvar for parameter in command.params if parameter.envvar]
    assert len(set(names)) == len(names) >= 10
    assert all(name.startswith(f"PROGRESSIVE_{program.upper()}_") for name in names)


def test_the_unit_calls_a_program_with_options_that_it_has() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read(FOLDER / "progressive-receiver.service")
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "progressive-receiver"
    assert {word.removeprefix("--") for word in arguments if word.startswith("--")} <= options_of("receiver")
    assert unit["Service"]["SuccessExitStatus"] == "143"


def test_the_receivers_of_the_unit_and_the_container_stay_and_do_not_fill_the_disk() -> None:
    settings = tomllib.loads((FOLDER / "progressive.toml").read_text())["receiver"]
    container = (FOLDER / "Containerfile").read_text()
    assert settings["serve"] is True
    assert settings["keep"] >= 1
    assert '"--serve", "--keep", "1000"' in container


def test_the_container_calls_the_receiver_with_options_that_it_has() -> None:
    (call,) = (line for line in (FOLDER / "Containerfile").read_text().splitlines() if line.startswith("CMD "))
    arguments = tomllib.loads("words = " + call.removeprefix("CMD "))["words"]
    assert {word.removeprefix("--") for word in arguments if word.startswith("--")} <= options_of("receiver")

"""Values of options from the environment and from a TOML file; what is given on the command line wins over both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from progressive.errors import UsageError
from progressive.files import read_toml
from progressive.suggestions import use_one_of

DEFAULT_FILE = "progressive.toml"
"""Read from the working folder where no other file is named."""

MAX_BYTES = 1 << 20

_OF_THE_CALL = {"settings", "help", "version", "install_completion", "show_completion"}


def take_environment(command: Any, program: str) -> None:
    """Lets every option of a command take its value from `PROGRESSIVE_PROGRAM_OPTION`, such as
    `PROGRESSIVE_SENDER_BANDWIDTH`, and from the program's table of a settings file."""
    command.name = program
    for name, parameter in _parameters(command).items():
        parameter.envvar = f"PROGRESSIVE_{program}_{name}".upper().replace("-", "_")
        parameter.show_envvar = False  # the help would be twice as long


def _read_settings(context: typer.Context, path: Path | None) -> Path | None:
    """Makes the file's values the defaults; raises UsageError if it cannot be read or says something unknown."""
    file = path or Path(DEFAULT_FILE)
    if path is None and not file.is_file():
        return None
    command: Any = context.command
    table = _table(file, command.name or "")
    parameters = _parameters(command)
    for name in table:
        if name not in parameters:
            known = use_one_of(name, sorted(parameters))
            raise UsageError(f"{file}: {name!r} is no setting of the {command.name}: {known}")
    if path is None and table:
        typer.echo(f"settings from {file} in this folder: {', '.join(table)}", err=True)
    context.default_map = {parameters[name].name: value for name, value in table.items()}
    return path


def _table(file: Path, program: str) -> dict[str, Any]:
    content = read_toml(file, limit=MAX_BYTES)
    table = content.get(program, {})
    if not isinstance(table, dict) or not set(content) <= {"sender", "receiver"}:
        raise UsageError(f"{file}: put settings into the tables [sender] and [receiver]")
    return table


def _parameters(command: Any) -> dict[str, Any]:
    """The parameters of a command by the names that people know them by: of options, what follows the dashes."""
    named = {}
    for parameter in command.params:
        longest = max(getattr(parameter, "opts", []), key=len, default="")
        name = longest.removeprefix("--") if longest.startswith("--") else str(parameter.name)
        if name.replace("-", "_") not in _OF_THE_CALL:
            named[name] = parameter
    return named


SETTINGS: Any = typer.Option(
    "--settings",
    metavar="FILE",
    help="TOML file with values for these options, in a table named after the program.",
    show_default=f"{DEFAULT_FILE}, if there is one",
    is_eager=True,
    callback=_read_settings,
)
"""The option that names the file, for a command that is run under a program's name."""

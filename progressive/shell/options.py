"""Options of the command line that the sender and the receiver share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from progressive.shell.settings_file import SETTINGS

ACCESS, PROGRAM = "Access", "This program"
"""Groups of options in the help."""

PasswordFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Password for mqtt://USER@HOST; or PROGRESSIVE_MQTT_PASSWORD.", rich_help_panel=ACCESS
    ),
]
CaFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Authorities to trust for mqtts://, as PEM.", rich_help_panel=ACCESS)
]
IceServers = Annotated[
    list[str] | None,
    typer.Option(
        metavar="URL",
        help="STUN or TURN server for webrtc://, stun:HOST:PORT; may be repeated.",
        rich_help_panel=ACCESS,
    ),
]
Log = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Append what happens as JSON lines to this file, or to - for standard error.",
        rich_help_panel=PROGRAM,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="PORT", help="Serve counters for Prometheus at this port, or at HOST:PORT.", rich_help_panel=PROGRAM
    ),
]
SettingsFile = Annotated[Path | None, SETTINGS]
Look = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Of the pictures: faithful, or natural, which is sharp and invents details; where the codec has it.",
    ),
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Weights of one's own: a file, or a name that python -m progressive models lists."
    ),
]
Effort = Annotated[
    int,
    typer.Option(
        metavar="0..9",
        help="Of the encoder: more takes longer, for better pictures of the same bytes, where the codec can search.",
    ),
]
EventsAsJson = Annotated[
    bool, typer.Option("--json", help="Events as JSON lines on standard output.", rich_help_panel=PROGRAM)
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No output but errors.", rich_help_panel=PROGRAM)]

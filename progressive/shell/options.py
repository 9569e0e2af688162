"""Options of the command line that the sender and the receiver share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from progressive.shell.settings_file import SETTINGS

PasswordFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Password for mqtt://USER@HOST; or PROGRESSIVE_MQTT_PASSWORD.")
]
CaFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Authorities to trust for mqtts://, as PEM.")]
IceServers = Annotated[
    list[str] | None,
    typer.Option(metavar="URL", help="STUN or TURN server for webrtc://, stun:HOST:PORT; may be repeated."),
]
Log = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="Append what happens as JSON lines to this file, or to - for standard error."),
]
Metrics = Annotated[
    str | None, typer.Option(metavar="PORT", help="Serve counters for Prometheus at this port, or at HOST:PORT.")
]
SettingsFile = Annotated[Path | None, SETTINGS]
EventsAsJson = Annotated[bool, typer.Option("--json", help="Events as JSON lines on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No output but errors.")]

"""Command line of the channel simulator: `python -m channel_sim`."""

from __future__ import annotations

import typer

from channel_sim.presets import PRESETS
from progressive.cli import run

app = typer.Typer(help="Simulated channels.", add_completion=False)


@app.callback()
def commands() -> None:
    """Simulated channels."""


@app.command()
def presets() -> None:
    """Lists the named channels that --channel takes."""
    for name, (settings, summary) in PRESETS.items():
        print(f"{name:<5} {summary}: {settings}")


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()

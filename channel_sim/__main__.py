"""Command line of the channel simulator: `python -m channel_sim`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from channel_sim.kinds import all_kinds
from channel_sim.link import LinkSettings
from channel_sim.presets import PRESETS
from channel_sim.spec import parse_channel
from experiments.ready import FOLDER, experiment_path, names
from progressive.shell.cli import run
from progressive.shell.display import say
from progressive.units import parse_bandwidth, parse_size, parse_time

app = typer.Typer(help="Simulated channels.", add_completion=False)

Seed = Annotated[int, typer.Option(metavar="N", min=0, help="Of all that is random.")]


@app.callback()
def commands() -> None:
    """Simulated channels."""


@app.command()
def presets() -> None:
    """Lists the named channels that --channel takes, with their parameters and where these come from."""
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        print(f"{name:<{width}}  {preset.summary}: {preset.settings}")
        print(f"{'':<{width}}  source: {preset.source}")


@app.command()
def parts() -> None:
    """Lists the parts that a channel joins with +, each as it may be written, and what else it takes."""
    for kind in all_kinds().values():
        further = [f"{key}=" for key in kind.keys if key != kind.first and f"{key}=" not in kind.example]
        print(f"{kind.example}  also {', '.join(further)}" if further else kind.example)


@app.command()
def show(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="Channel, as --channel takes it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The figure, a PNG.")] = Path(
        "channel.png"
    ),
    duration: Annotated[str, typer.Option("--for", metavar="TIME", help="How long the link is watched.")] = "10s",
    bandwidth: Annotated[
        str | None,
        typer.Option(
            metavar="RATE", help="At which packets are offered; left out, as fast as the link takes them, or 50kbps."
        ),
    ] = None,
    packet_size: Annotated[str, typer.Option(metavar="BYTES", help="Of every packet.")] = "1100B",
    seed: Seed = 0,
) -> None:
    """Draws SNR, rate and losses of a channel over time."""
    from channel_sim.show import Watch, draw

    watch = Watch(
        parse_channel(spec),
        duration_s=parse_time(duration),
        bandwidth_bps=None if bandwidth is None else parse_bandwidth(bandwidth),
        packet_size=parse_size(packet_size),
        seed=seed,
    )
    say(draw(watch, spec, output))


@app.command()
def proxy(
    listen: Annotated[str, typer.Option(metavar="URL", help="Where the sender sends to: udp://HOST:PORT.")],
    forward: Annotated[
        list[str], typer.Option(metavar="URL", help="Receiver, udp://HOST:PORT; may be repeated: each gets everything.")
    ],
    channel: Annotated[
        list[str], typer.Option(metavar="SPEC", help="The link: one for all receivers, or one for each, in order.")
    ],
    back: Annotated[
        str | None,
        typer.Option(metavar="SPEC", help="Link of the answers.", show_default="the first receiver's channel"),
    ] = None,
    seed: Seed = 0,
    deliver_damaged: Annotated[
        bool, typer.Option("--deliver-damaged", help="Packets with bit errors arrive with them instead of being lost.")
    ] = False,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long to run; until Ctrl-C if left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Figures as JSON lines on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No output but errors.")] = False,
) -> None:
    """Puts simulated links between UDP programs: a sender and one or more receivers."""
    from channel_sim.proxy_run import ProxyOptions, run_proxy
    from progressive.shell.display import make_display
    from progressive.transport.udp import parse_udp_url

    def link(spec: str) -> LinkSettings:
        return parse_channel(spec, deliver_damaged=deliver_damaged)

    options = ProxyOptions(
        parse_udp_url(listen),
        [parse_udp_url(url) for url in forward],
        [link(spec) for spec in channel],
        back=None if back is None else link(back),
        seed=seed,
        duration_s=None if duration is None else parse_time(duration),
    )
    run_proxy(options, make_display(as_json=as_json, quiet=quiet))


@app.command()
def validate(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for validation.md and its figures.")
    ] = Path("docs/channel"),
) -> None:
    """Compares every model with its closed form; status 1 if one does not hold."""
    from channel_sim.validation.page import write_page

    say(write_page(output))


@app.command()
def sweep(
    file: Annotated[Path, typer.Argument(metavar="FILE.toml", help=f"Or one of {', '.join(names())}.")],
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster that works instead.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="For results; what is finished there is not done again.",
            show_default="out/FILE",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The small version, by the file's table 'quick'.")] = False,
) -> None:
    """Tries systems over channels, bandwidths, photos and seeds, as a file says."""
    from experiments.command import SweepOptions, sweep_file

    folder = output or Path("out") / (file.stem + ("_quick" if quick else ""))
    say(sweep_file(SweepOptions(experiment_path(file), folder, workers, dask, quick=quick)))


@app.command()
def experiments(
    files: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Of the experiment files.", show_default="the ready ones")
    ] = FOLDER,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="For experiments.md and its figures.")
    ] = Path("docs"),
    folder: Annotated[
        Path, typer.Option("--keep", metavar="DIR", help="For results; what is finished there is not done again.")
    ] = Path("out/experiments"),
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes on this machine.")] = 1,
    dask: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Scheduler of a Dask cluster that works instead.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The small versions, by the files' tables 'quick'.")] = False,
) -> None:
    """Runs all ready experiments and writes the page of what they say."""
    from experiments.command import our_laboratory
    from experiments.page.write import write_page

    say(write_page(files, output, folder, our_laboratory(), workers=workers, dask=dask, quick=quick))


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()

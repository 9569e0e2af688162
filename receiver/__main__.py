"""Command line of the receiver: `python -m receiver`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from progressive.codec import FAITHFUL
from progressive.output.run_folder import folder_of_run
from progressive.shell.cli import run
from progressive.shell.display import make_display
from progressive.shell.exporter import counted
from progressive.shell.logs import logged
from progressive.shell.options import (
    CaFile,
    EventsAsJson,
    IceServers,
    Log,
    Look,
    Metrics,
    PasswordFile,
    Quiet,
    SettingsFile,
    Weights,
)
from progressive.transport.access import Access
from progressive.transport.schemes import usual_silence_s
from progressive.units import parse_size, parse_time

FRAMES = "Frames for another program"

app = typer.Typer(add_completion=False)


@app.command()
def receive(
    address: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="URL",
            help="Where to listen, udp://HOST:PORT such as udp://0.0.0.0:9000, or whom to join, webrtc://HOST:PORT "
            "or mqtt://[USER@]HOST[:PORT]/TOPIC.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="Folder for the first photo; photo_02, .. in it for further ones. "
            "{time} in its name is when the run began: another folder for each.",
        ),
    ] = Path("out"),
    serve: Annotated[
        bool,
        typer.Option(
            "--serve",
            help="Stay, sender after sender, until stopped: a folder for each photo in the output folder, named by the "
            "time, and latest.png.",
        ),
    ] = False,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="With --serve, how many photos' folders are left; all if left out."),
    ] = None,
    reference: Annotated[
        Path | None, typer.Option(metavar="PHOTO", help="The original, to measure the quality against.")
    ] = None,
    device: Annotated[str, typer.Option(help="Where to decode: auto, cpu or cuda.")] = "auto",
    look: Look = FAITHFUL,
    codec: Annotated[
        str | None, typer.Option(metavar="MODULE:CLASS", help="Of another package, if streams are of its codec.")
    ] = None,
    weights: Weights = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long to wait for a sender; for ever if left out.")
    ] = None,
    silence: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long a sender may pause in a stream before it counts as gone.",
            show_default="3s; 30s over mqtt:// and with --serve, for a broker or a link that comes back",
        ),
    ] = None,
    inner_parity: Annotated[
        str, typer.Option(metavar="BYTES", help="Parity bytes inside each datagram, as the sender was told.")
    ] = "0",
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key of the sender: what it has not sealed is dropped."),
    ] = None,
    max_age: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="How long ago, by this machine's clock, what is sealed may have been: see --key-file."
        ),
    ] = "5min",
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token that a webrtc:// sender asks for.")
    ] = None,
    ice_server: IceServers = None,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]",
            help="Show the pictures as they come, and every packet, on a web page.",
            show_default="127.0.0.1:8080, if given alone",
        ),
    ] = None,
    frames_to: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write every picture, as it comes, to a named pipe, a file, or - for standard output, where nothing "
            "else goes then.",
            rich_help_panel=FRAMES,
        ),
    ] = None,
    frame_format: Annotated[
        str,
        typer.Option(metavar="NAME", help="rawvideo, RGB of 24 bits, or png, file after file.", rich_help_panel=FRAMES),
    ] = "rawvideo",
    frame_size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="Pictures of another size are fitted into it.",
            show_default="of rawvideo that of the first picture",
            rich_help_panel=FRAMES,
        ),
    ] = None,
    log: Log = None,
    metrics: Metrics = None,
    _settings: SettingsFile = None,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
) -> None:
    """Receives photos and shows them as they come, coarse first, then ever better."""
    from progressive.looks import wanted_looks
    from progressive.models import make_known
    from receiver.frame_pipe import with_frames
    from receiver.run import ReceiverOptions
    from receiver.run import receive as receive_photos
    from receiver.settings import ReceiverSettings
    from receiver.viewer.viewer import viewed

    make_known(codec, weights)
    access = Access(
        inner_parity=parse_size(inner_parity),
        key_file=key_file,
        max_age_s=parse_time(max_age),
        password_file=password_file,
        ca_file=ca_file,
        token_file=token_file,
        ice_server=tuple(ice_server or ()),
    )
    settings = ReceiverSettings(
        silence_s=usual_silence_s(address, access, stays=serve) if silence is None else parse_time(silence),
        inner_parity=access.inner_parity,
        receiver_id=secrets.randbits(32),
        stays=serve,
    )
    options = ReceiverOptions(
        address,
        settings,
        output=folder_of_run(output),
        reference=reference,
        device=device,
        timeout_s=None if timeout is None else parse_time(timeout),
        access=access,
        looks=wanted_looks(look, all_of_them=view is not None),
        keep=keep,
    )
    with (
        logged(make_display(as_json=as_json, quiet=quiet), log) as display,
        counted(display, metrics, "receiver.counters:ReceiverCounters") as display,
        viewed(display, view, "receiver") as display,
        with_frames(display, frames_to, frame_format, frame_size, stays=serve) as display,
    ):
        receive_photos(options, display)


def main() -> None:
    run(app, program="receiver")


if __name__ == "__main__":
    main()

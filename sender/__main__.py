"""Command line of the sender: `python -m sender`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from progressive.codec import FAITHFUL
from progressive.errors import UsageError
from progressive.looks import wanted_looks
from progressive.loss_model import parse_loss_model
from progressive.output.run_folder import folder_of_run
from progressive.registry import DEFAULT_CODEC, with_own_weights
from progressive.shell.cli import run
from progressive.shell.display import Display, make_display
from progressive.shell.exporter import counted
from progressive.shell.logs import logged
from progressive.shell.options import (
    ACCESS,
    CaFile,
    Effort,
    EventsAsJson,
    IceServers,
    Log,
    Metrics,
    PasswordFile,
    Quiet,
    SettingsFile,
    Weights,
)
from progressive.transport.access import Access
from progressive.units import parse_percent, parse_size, parse_time
from sender.addresses import losses_to_expect, run_for
from sender.options import SenderOptions
from sender.rates import parse_rate
from sender.settings import SenderSettings

LONGEST_EVERY_S = 60
PICTURE, PACKETS, RECEIVERS = "The picture", "Packets and their protection", "Receivers elsewhere"
"""Groups of options in the help."""

EXAMPLES = """Examples:

python -m sender photo.jpg --bandwidth 20kbps --channel lora

python -m sender photo.jpg --to udp://192.0.2.7:9000 --deadline 30s

python -m sender photos/ --every 5s --to mqtt://broker.example/cliff --key-file key
"""


class Against(StrEnum):
    """What pictures are measured against."""

    ORIGINAL = "original"
    NOTHING = "nothing"


class HeaderForm(StrEnum):
    """How much packets say of themselves."""

    AUTO = "auto"
    SHORT = "short"
    LONG = "long"


COUNTERS = ("sender.counters:SenderCounters", "receiver.counters:ReceiverCounters")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@app.command(epilog=EXAMPLES)
def send(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Photo, - for one on standard input, folder, glob, video file, or camera (/dev/video0, rtsp://..); "
            "a sample photo if left out.",
            show_default=False,
        ),
    ] = None,
    bandwidth: Annotated[
        str,
        typer.Option(
            metavar="RATE",
            help="Rate of all datagrams of a stream, such as 50kbps; auto begins low and follows the reports.",
        ),
    ] = "50kbps",
    queue_delay: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --bandwidth auto, the longest that packets may wait on the link behind others, 20ms to 10s.",
            show_default="250ms",
        ),
    ] = None,
    to: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Receiver, udp://HOST:PORT, may be repeated; or where to serve, webrtc://HOST:PORT, mqtt:// "
            "(a broker in here) or mqtt://[USER@]HOST[:PORT]/TOPIC. "
            "Without it link and receiver run in here.",
        ),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option(
            metavar="SPEC",
            help="Link in here: a preset (python -m channel_sim presets), a .toml file, ge:loss=10%,burst=5, "
            "rate:50kbps,delay=80ms,queue=16kB, rayleigh:snr=12dB,doppler=10Hz, trace:PATH, .. joined with +.",
            show_default="ep2; with --bandwidth auto ep2 + rate:50kbps,delay=80ms",
        ),
    ] = None,
    codec: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How to code the photo: see python -m progressive codecs; or module:Class of another package.",
            rich_help_panel=PICTURE,
        ),
    ] = DEFAULT_CODEC,
    weights: Weights = None,
    context: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the picture is for: classify, reconstruct or hybrid.",
            show_default="hybrid",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    effort: Effort = 0,
    protection: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Parity over the stream: auto, equal, none, or pet for broadcast.",
            rich_help_panel=PACKETS,
        ),
    ] = "auto",
    redundancy: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Most parity bytes per source byte, 0% to 25500%, such as 25%; equal protection spends all of it.",
            show_default="as the protection decides, until the deadline",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    expect: Annotated[
        str | None,
        typer.Option(
            metavar="LOSSES",
            help="Losses to plan for until a receiver reports some, such as loss=3%,burst=1.6.",
            show_default="loss=10%,burst=5; loss=1% over mqtt://",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    packet_size: Annotated[
        str, typer.Option(metavar="BYTES", help="Largest datagram, at most 1472B.", rich_help_panel=PACKETS)
    ] = "1100B",
    deadline: Annotated[
        str, typer.Option(metavar="TIME", help="Time after which no more of a photo, or of a frame, is sent.")
    ] = "10s",
    every: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Photos are frames so far apart, at most 60s: late ones are dropped, what is as before is not sent.",
            show_default="photos wait for their turn",
            rich_help_panel=PICTURE,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of all that is random in the link in here.")] = 0,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder for the pictures; one in it for each of several photos. {time} in it is when the run began.",
            show_default="out",
        ),
    ] = None,
    inner_parity: Annotated[
        str,
        typer.Option(
            metavar="BYTES",
            help="Parity bytes inside each datagram, at most 512, for links that deliver damaged ones.",
            rich_help_panel=PACKETS,
        ),
    ] = "0",
    deliver_damaged: Annotated[
        bool,
        typer.Option(
            "--deliver-damaged",
            help="Packets with bit errors arrive with them from the link in here, for inner parity.",
            rich_help_panel=PACKETS,
        ),
    ] = False,
    fast: Annotated[bool, typer.Option("--fast", help="Virtual clock instead of real time.")] = False,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Never downscale a photo.", rich_help_panel=PICTURE)
    ] = False,
    with_metadata: Annotated[
        bool,
        typer.Option(
            "--with-metadata",
            help="Receivers are told the photo's file name, and its time and place if its EXIF has them.",
            rich_help_panel=PICTURE,
        ),
    ] = False,
    one_way: Annotated[
        bool, typer.Option("--one-way", help="Receivers do not answer.", rich_help_panel=PACKETS)
    ] = False,
    serve: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="One stream for all receivers, planned for this share of them, above 0% to 100%.",
            show_default="a stream for each",
            rich_help_panel=RECEIVERS,
        ),
    ] = None,
    serve_for: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="How long to serve at a webrtc:// or mqtt:// address.",
            show_default="until stopped, Ctrl-C",
            rich_help_panel=RECEIVERS,
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Key that seals every packet, the same on both ends; keygen makes one.",
            rich_help_panel=ACCESS,
        ),
    ] = None,
    password_file: PasswordFile = None,
    ca_file: CaFile = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Tokens that let receivers join at webrtc://, one a line.", rich_help_panel=ACCESS
        ),
    ] = None,
    ice_server: IceServers = None,
    repair: Annotated[
        bool | None,
        typer.Option(
            "--repair/--no-repair",
            help="Packets that a receiver lacks are sent again while there is time; with --serve those of the base.",
            show_default="only to a receiver with a stream of its own",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    headers: Annotated[
        HeaderForm,
        typer.Option(
            help="Of packets: short ones for small packets (auto), short, or long as older receivers need them.",
            rich_help_panel=PACKETS,
        ),
    ] = HeaderForm.AUTO,
    duty_cycle: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Share of any hour that may be spent sending, above 0% to 100%, as ETSI EN 300 220 counts it.",
            show_default="all of it",
            rich_help_panel=PACKETS,
        ),
    ] = None,
    count_ip: Annotated[
        bool, typer.Option("--count-ip", help="IP and UDP headers count as bandwidth.", rich_help_panel=PACKETS)
    ] = False,
    view: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:PORT]",
            help="Show what the receiver in here has, and every packet, on a web page.",
            show_default="127.0.0.1:8080, if given alone",
        ),
    ] = None,
    look: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of the pictures received in here: faithful, or natural, which is sharp and invents details.",
            show_default=FAITHFUL,
        ),
    ] = None,
    against: Annotated[
        Against | None,
        typer.Option(
            help="Measure the pictures received in here against the original, or show what the sender expects of them.",
            show_default=Against.ORIGINAL,
        ),
    ] = None,
    log: Log = None,
    metrics: Metrics = None,
    _settings: SettingsFile = None,
    as_json: EventsAsJson = False,
    quiet: Quiet = False,
) -> None:
    """Streams a photo over a poor link: coarse first, then ever better.

    Without --to, a simulated link and a receiver run in this process, and the pictures go into the output folder.
    """
    bandwidth_bps, follow = parse_rate(bandwidth)
    settings = SenderSettings(
        bandwidth_bps=bandwidth_bps,
        packet_size=parse_size(packet_size),
        deadline_s=parse_time(deadline),
        protection=protection,
        redundancy=None if redundancy is None else parse_percent(redundancy),
        count_ip=count_ip,
        feedback=not one_way,
        inner_parity=parse_size(inner_parity),
        expect=losses_to_expect(to or ()) if expect is None else parse_loss_model(expect),
        serve=None if serve is None else parse_percent(serve),
        sealed=key_file is not None,
        repair=repair,
        headers=headers.value,
        duty_cycle=None if duty_cycle is None else parse_percent(duty_cycle),
        follow=follow,
        **_queue_delay(queue_delay, follow=follow),
    )
    if to:
        _refuse_options_of_local_runs(
            {
                "--channel": channel,
                "--output": output,
                "--fast": fast or None,
                "--deliver-damaged": deliver_damaged or None,
                "--view": view,
                "--look": look,
                "--against": against,
            }
        )
    options = SenderOptions(
        source,
        with_own_weights(codec, weights),
        settings,
        context=context,
        effort=effort,
        full_size=full_size,
        with_metadata=with_metadata,
        every_s=None if every is None else _seconds_apart(every),
        to=tuple(to or ()),
        access=Access(
            key_file=key_file,
            password_file=password_file,
            ca_file=ca_file,
            token_file=token_file,
            ice_server=tuple(ice_server or ()),
        ),
        serve_for_s=None if serve_for is None else parse_time(serve_for),
        channel=channel or ("ep2+rate:50kbps,delay=80ms" if settings.follow else "ep2"),
        seed=seed,
        deliver_damaged=deliver_damaged,
        fast=fast,
        output=folder_of_run(output or Path("out")),
        measured=against is not Against.NOTHING,
        looks=wanted_looks(look or FAITHFUL, all_of_them=view is not None),
    )
    if not to:
        _refuse_options_of_remote_runs(
            {
                "--serve": serve,
                "--serve-for": serve_for,
                "--key-file": key_file,
                "--password-file": password_file,
                "--ca-file": ca_file,
                "--token-file": token_file,
                "--ice-server": ice_server or None,
            }
        )
    with (
        logged(make_display(as_json=as_json, quiet=quiet), log) as display,
        counted(display, metrics, *(COUNTERS[:1] if to else COUNTERS)) as display,
    ):
        _run(options, display, view)


def _run(options: SenderOptions, display: Display, view: str | None) -> None:
    if options.to:
        with display:
            asyncio.run(_awaited(run_for(options)(options, display)))
    else:
        from loopback.local import stream_locally

        stream_locally(options, display, view=view)


async def _awaited(run: Awaitable[None]) -> None:
    await run


def _queue_delay(given: str | None, *, follow: bool) -> dict[str, float]:
    if given is not None and not follow:
        raise UsageError("--queue-delay is for --bandwidth auto: leave it out, or give --bandwidth auto")
    return {} if given is None else {"queue_delay_s": parse_time(given)}


def _seconds_apart(every: str) -> float:
    every_s = parse_time(every)
    if every_s == 0:
        raise UsageError(f"--every {every} leaves no time between photos: use more than 0, such as 1s")
    if every_s > LONGEST_EVERY_S:
        raise UsageError(f"--every {every}: receivers wait no longer for a frame than {LONGEST_EVERY_S} s, use less")
    return every_s


def _refuse_options_of_local_runs(given: dict[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is for a receiver in this process: leave out either {name} or --to")


def _refuse_options_of_remote_runs(given: dict[str, object]) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} is for receivers elsewhere: leave it out, or give --to")


def main() -> None:
    run(app, program="sender")


if __name__ == "__main__":
    main()

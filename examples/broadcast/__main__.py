"""A broadcast on one machine: `python -m examples.broadcast [PHOTO]`, from the project's folder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import typer

from channel_sim.spec import channel_in_words, parse_channel
from examples.broadcast.receiving import Place
from examples.broadcast.sending import broadcast
from examples.broadcast.wall import Seat
from progressive.codec import ProgressiveCodec
from progressive.contexts import context_for
from progressive.errors import UsageError
from progressive.photos import write_png
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.semantics.blend import DEFAULT_CONTEXT
from progressive.shell.cli import run
from progressive.shell.display import Display
from progressive.transport.udp import UdpAddress
from progressive.units import format_bandwidth, parse_bandwidth, parse_time
from receiver.viewer.address import DEFAULT_ADDRESS, parse_view_address
from receiver.viewer.gallery import Gallery
from receiver.viewer.viewer import Viewer
from sender.prepare import PreparedPhoto, find_sources, prepare
from sender.settings import SenderSettings

CHANNELS = ("ep2", "ep3", "ep4", "ep6", "pedestrian", "vehicular")
"""They lose 3, 7, 14, 32, 26 and 20 % in the mean."""

MOST_RECEIVERS = 32

app = typer.Typer(add_completion=False)


@app.command()
def main_command(
    photo: Annotated[
        str | None, typer.Argument(help="To send; a sample photo if left out.", show_default=False)
    ] = None,
    receivers: Annotated[int, typer.Option(min=1, max=MOST_RECEIVERS, help="How many.")] = 6,
    channel: Annotated[
        list[str] | None,
        typer.Option(metavar="SPEC", help="The link to the first receiver, the second, ..; then from the start again."),
    ] = None,
    bandwidth: Annotated[str, typer.Option(metavar="RATE", help="Of the one stream.")] = "50kbps",
    late: Annotated[
        str, typer.Option(metavar="TIME", help="How long after the others the last receiver joins.")
    ] = "20s",
    view: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the page is served.")] = DEFAULT_ADDRESS,
    duration: Annotated[
        str | None, typer.Option("--for", metavar="TIME", help="How long.", show_default="until Ctrl-C")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the links.")] = 0,
    output: Annotated[Path, typer.Option(metavar="DIR", help="A folder in it for each receiver.")] = Path("out"),
) -> None:
    """One sender, receivers behind links of their own, all on one page, where each can leave and return."""
    settings = SenderSettings(parse_bandwidth(bandwidth), serve=0.95)
    specs = list(islice(cycle(channel or CHANNELS), receivers))
    links = [parse_channel(spec) for spec in specs]
    late_s = parse_time(late)
    duration_s = None if duration is None else parse_time(duration)
    address = parse_view_address(view)
    display = Display()
    prepared, reference = _prepare(photo, load_codec(DEFAULT_CODEC), settings, output)
    gallery = Gallery(f"{prepared.name} · one stream of {format_bandwidth(settings.bandwidth_bps)} for all")
    with Viewer(gallery, address) as viewer:
        display.note(f"the wall is at {viewer.address.url}")
        places = _places(receivers, output, reference)
        seats = [
            Seat(gallery, place, channel_in_words(spec), display.note)
            for place, spec in zip(places, specs, strict=True)
        ]
        with _seated(seats, late_s):
            targets = [(_address(place), link) for place, link in zip(places, links, strict=True)]
            asyncio.run(broadcast(prepared, settings, targets, display, seed=seed, duration_s=duration_s))


def _prepare(
    photo: str | None, codec: ProgressiveCodec, settings: SenderSettings, output: Path
) -> tuple[PreparedPhoto, Path]:
    """The photo, encoded, and a file of it for the receivers to measure against."""
    sources = find_sources(photo)
    if len(sources) > 1:
        raise UsageError(f"{photo} stands for {len(sources)} photos: a broadcast is of one")
    context = context_for(codec, None, default=DEFAULT_CONTEXT)
    prepared = prepare(sources[0], codec, settings, full_size=False, context=context)
    output.mkdir(parents=True, exist_ok=True)
    reference = output / "original.png"
    write_png(reference, prepared.original)
    return prepared, reference


def _places(count: int, output: Path, reference: Path) -> list[Place]:
    with _free_ports(count) as ports:
        return [
            Place(number, f"udp://127.0.0.1:{port}", output / f"receiver_{number}", reference)
            for number, port in enumerate(ports, 1)
        ]


@contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Ports that nobody uses, all different."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def _address(place: Place) -> UdpAddress:
    return UdpAddress("127.0.0.1", int(place.address.rpartition(":")[2]))


@contextmanager
def _seated(seats: list[Seat], late_s: float) -> Iterator[None]:
    """All receivers join, the last one later if there are several, and leave at the end."""
    for seat in seats[:-1] or seats:
        seat.join()
    if len(seats) > 1:
        seats[-1].join_later(late_s)
    try:
        yield
    finally:
        for seat in seats:
            seat.leave()


def main() -> None:
    run(app)


if __name__ == "__main__":
    main()

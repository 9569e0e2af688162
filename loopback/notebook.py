"""A photo over a simulated link in one call, as for a notebook."""

from __future__ import annotations

from dataclasses import dataclass

from channel_sim.link import LinkSettings
from channel_sim.spec import parse_channel
from loopback.local_stream import Links, LocalStream, VirtualClock, as_slow_as_the_sender, run_stream
from progressive.codec import FAITHFUL, Photo
from progressive.looks import wanted_looks
from progressive.output.no_folder import NoFolder
from progressive.photos.arrays import as_photo
from progressive.registry import DEFAULT_CODEC
from progressive.shell.display import QuietDisplay
from progressive.units import parse_time
from receiver.reception import PictureShown
from sender.options import SenderOptions
from sender.prepare import prepare_photo
from sender.rates import parse_rate
from sender.settings import SenderSettings
from sender.settled import settled


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that the receiver had.

    Fields:
        time_s: since sending began, in seconds.
        bytes: of all datagrams that it had received.
        picture: uint8 [H, W, 3].
        psnr: beside the original, in dB; infinite if they are equal.
        ms_ssim: 0..1; None below 161 pixels.
    """

    time_s: float
    bytes: int
    picture: Photo
    psnr: float
    ms_ssim: float | None


@dataclass(frozen=True, slots=True)
class Streamed:
    """What became of a photo.

    Fields:
        shown: every picture that the receiver had, in the order of time.
        wire_bytes: of all datagrams sent.
    """

    shown: tuple[Shown, ...]
    wire_bytes: int

    @property
    def picture(self) -> Photo:
        """The last one."""
        return self.shown[-1].picture


def stream_photo(
    photo: object,
    *,
    bandwidth: str = "50kbps",
    channel: str = "ep2",
    deadline: str = "10s",
    codec: str = DEFAULT_CODEC,
    context: str | None = None,
    protection: str = "auto",
    packet_size: int = 1100,
    full_size: bool = False,
    look: str = FAITHFUL,
    seed: int = 0,
) -> Streamed:
    """Streams a photo over a simulated link, on a virtual clock: the same arguments give the same packets.

    Args:
        photo: an array or tensor, uint8 [H, W, 3] or what `progressive.photos.arrays.as_photo` takes for one, or a
            picture of Pillow.
        bandwidth, channel, deadline: as on the command line of the sender.
        protection: auto, equal, none or pet.
        full_size: never downscale, even if the base takes more than a tenth of the deadline.
        look: of the pictures, where the codec has it.

    It works inside a running event loop as well. Raises UsageError for what makes no sense, RunError if the base did
    not arrive.
    """
    bandwidth_bps, follow = parse_rate(bandwidth)
    settings = SenderSettings(
        bandwidth_bps,
        packet_size=packet_size,
        deadline_s=parse_time(deadline),
        protection=protection,
        follow=follow,
    )
    coder, options = settled(
        SenderOptions(
            None,
            codec,
            settings,
            context=context,
            full_size=full_size,
            channel=channel,
            seed=seed,
            fast=True,
            looks=wanted_looks(look, all_of_them=False),
        )
    )
    link: LinkSettings = as_slow_as_the_sender(parse_channel(channel), options)
    prepared = prepare_photo("photo", as_photo(photo), coder, settings, full_size=full_size, context=options.context)
    pictures, clock = _Pictures(), VirtualClock()
    local = LocalStream(prepared, options, NoFolder(), pictures, clock, one_of_several=False)
    run_stream(local, Links.seeded(link, seed), clock)
    return Streamed(tuple(pictures.shown), local.wire_bytes)


class _Pictures(QuietDisplay):
    """Keeps the pictures that are shown."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []

    def observe(self, event: object) -> None:
        if isinstance(event, PictureShown):
            found = event.refinement
            assert found.psnr is not None
            assert event.picture is not None
            self.shown.append(Shown(found.time_s, found.bytes, event.picture, found.psnr, found.ms_ssim))

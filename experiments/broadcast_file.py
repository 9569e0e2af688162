"""Experiment files of the kind `broadcast`.

kind = "broadcast"
title = "Broadcast"
photos = ["kodak"]
channels = ["rayleigh:snr={}dB,doppler=10Hz+modem:bpsk-1/2"]     # {}: the SNR of each receiver
receivers = [1, 7, 13, 19]                                       # their SNR in dB
rate = 0.74                                                      # bits a pixel, everything included
simulcast = [0.1, 0.2, 0.3, 0.45, 0.6]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from experiments.broadcast import Broadcast
from experiments.experiment_file import (
    Count,
    Names,
    PhotosFile,
    Text,
    check_channel,
    checked,
    once,
    photos_of,
    read,
    read_tables,
)
from progressive.errors import UsageError
from progressive.units import parse_bandwidth, parse_size

Rate = Annotated[float, Field(ge=0.01, le=24)]
Level = Annotated[float, Field(ge=-50, le=100)]


class BroadcastFile(PhotosFile):
    """The keys of a file."""

    kind: Literal["broadcast"]
    channels: Names
    receivers: Annotated[list[Level], Field(min_length=2, max_length=1000)]
    bandwidth: Text = "50kbps"
    rate: Rate
    simulcast: Annotated[list[Rate], Field(min_length=1, max_length=100)]
    packet_size: Text = "1100B"
    trials: Count = 400


def is_broadcast(path: Path) -> bool:
    """Whether a file is of this kind; raises UsageError if it cannot be read."""
    return read_tables(path).get("kind") == "broadcast"


def read_broadcast(path: Path, *, quick: bool = False) -> Broadcast:
    """The experiment of a file; raises UsageError, which names the file and the key, for anything it cannot be."""
    tables = read_tables(path)
    try:
        return _broadcast(checked(BroadcastFile, tables, quick=quick), path.parent)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _broadcast(file: BroadcastFile, folder: Path) -> Broadcast:
    for channel in file.channels:
        if "{}" not in channel:
            raise UsageError(f"channels: {channel!r} has no place for the SNR: write {{}} there")
        for snr_db in file.receivers:
            read("channels", check_channel, channel.replace("{}", f"{snr_db:g}"))
    return Broadcast(
        title=file.title,
        photos=photos_of("photos", file.photos, folder, file.photos_at_most),
        channels=once("channels", file.channels),
        snrs_db=once("receivers", file.receivers),
        bandwidth_bps=read("bandwidth", parse_bandwidth, file.bandwidth),
        rate_bpp=file.rate,
        simulcast_bpp=once("simulcast", file.simulcast),
        packet_size=read("packet_size", parse_size, file.packet_size),
        trials=file.trials,
        seeds=once("seeds", file.seeds),
    )

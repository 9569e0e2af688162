"""The words for what happens to packets, losses, rate, queue, delay; with those of the radio, all of the language."""

from __future__ import annotations

from pathlib import Path

from channel_sim.link import Reordering
from channel_sim.loss import GilbertElliott, TimedBursts
from channel_sim.modem.settings import Modem
from channel_sim.queue import CoDel
from channel_sim.radio_words import RADIO_KINDS
from channel_sim.traces import read_trace
from channel_sim.words import Fields, Kind, number
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.units import parse_bandwidth, parse_frequency, parse_percent, parse_size, parse_time

_TRANSMISSION = {
    "rate": ("rate_bps", parse_bandwidth),
    "delay": ("delay_s", parse_time),
    "jitter": ("jitter_s", parse_time),
    "queue": ("queue_bytes", parse_size),
}


def _transmission(first: str, example: str) -> Kind:
    return Kind(example, _TRANSMISSION, lambda fields: fields, first)


def _probability(text: str) -> float:
    """As a share, of which 0 and 1 need no %."""
    return 1.0 if text == "1" else parse_percent(text)


def _burst(text: str) -> Fields:
    """`5` packets or `200ms`, as a field of LossModel or of TimedBursts."""
    try:
        return {"burst": number("a mean burst")(text)}
    except UsageError:
        try:
            return {"burst_s": parse_time(text)}
        except UsageError:
            raise UsageError(
                f"{text[:40]!r} is not a mean burst: use packets lost in a row, such as burst=5, or a time, burst=200ms"
            ) from None


def _bursts(fields: Fields) -> Fields:
    burst = fields["burst"]
    return {"loss": (LossModel if "burst" in burst else TimedBursts)(loss=fields["loss"], **burst)}


KINDS: dict[str, Kind] = {
    "loss": Kind(
        "loss:5%",
        {"loss": ("loss", parse_percent)},
        lambda fields: {"loss": LossModel(**fields)},
        "loss",
        ["loss"],
    ),
    "ge": Kind(
        "ge:loss=10%,burst=5",
        {"loss": ("loss", parse_percent), "burst": ("burst", _burst)},
        _bursts,
        "loss",
        ["loss", "burst"],
    ),
    "gilbert": Kind(
        "gilbert:p=2%,r=25%,h=0,k=1",
        {name: (name, _probability) for name in "prhk"},
        lambda fields: {"loss": GilbertElliott(**fields)},
        "p",
        ["p", "r"],
    ),
    "rate": _transmission("rate", "rate:50kbps,delay=80ms,jitter=10ms,queue=16kB"),
    "delay": _transmission("delay", "delay:80ms,jitter=10ms"),
    "jitter": _transmission("jitter", "jitter:10ms"),
    "queue": _transmission("queue", "queue:16kB"),
    "codel": Kind(
        "codel:target=20ms,interval=200ms",
        {"target": ("target_s", parse_time), "interval": ("interval_s", parse_time)},
        lambda fields: {"codel": CoDel(**fields)},
        "target",
    ),
    "trace": Kind(
        "trace:PATH",
        {"path": ("path", Path)},
        lambda fields: {"trace": read_trace(fields["path"])},
        "path",
        ["path"],
    ),
    "ber": Kind(
        "ber:1e-5",
        {"ber": ("bit_error_rate", number("a bit error rate: use 0 to 0.5, such as 1e-5"))},
        lambda fields: fields,
        "ber",
        ["ber"],
    ),
    "reorder": Kind(
        "reorder:5%,late=50ms",
        {"share": ("share", parse_percent), "late": ("late_s", parse_time)},
        lambda fields: {"reordering": Reordering(**fields)},
        "share",
        ["share", "late"],
    ),
    "duplicate": Kind(
        "duplicate:1%",
        {"share": ("duplicates", parse_percent)},
        lambda fields: fields,
        "share",
        ["share"],
    ),
    "modem": Kind(
        "modem:auto,bandwidth=1MHz,target=10%,report=10ms",
        {
            "mcs": ("mcs", str),
            "bandwidth": ("bandwidth_hz", parse_frequency),
            "target": ("target", parse_percent),
            "report": ("report_delay_s", parse_time),
        },
        lambda fields: {"modem": Modem(**fields)},
        "mcs",
    ),
    **RADIO_KINDS,
}
"""Kinds of parts by the name that a part begins with."""

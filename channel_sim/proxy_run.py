"""One run of the proxy: checks what it was asked, listens, and shows live figures of every receiver's link."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from channel_sim.link import Fate, LinkSettings
from channel_sim.proxy import Path, Proxy
from progressive.errors import UsageError
from progressive.shell.display import ARRIVED, LOST, Display, Progress
from progressive.transport.udp import UdpAddress
from progressive.units import format_bandwidth, format_decibel, format_percent, format_time

FIGURES_S = 1.0
"""How often the figures are shown, and the time they look back on for a rate and a delay."""


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What the proxy was asked to do.

    Fields:
        listen: where senders send to; port 0 lets the system choose one.
        forward: the receivers.
        channels: the link to each receiver, or one for all.
        back: the link of answers; None for the same as the first receiver's.
        seed: of all that is random: receiver i has the links of a local run with the seed plus i.
        duration_s: how long to run; None until interrupted.
    """

    listen: UdpAddress
    forward: Sequence[UdpAddress]
    channels: Sequence[LinkSettings]
    back: LinkSettings | None = None
    seed: int = 0
    duration_s: float | None = None

    def __post_init__(self) -> None:
        if len(self.channels) not in {1, len(self.forward)}:
            raise UsageError(
                f"{len(self.channels)} channels for {len(self.forward)} receivers: give --channel once, "
                "or once for each --forward"
            )
        if len(set(self.forward)) < len(self.forward):
            raise UsageError("a receiver is named twice: give each --forward another address")
        if self.listen in self.forward:
            raise UsageError(f"the proxy would forward to itself at {self.listen}: use another port")

    def paths(self) -> list[Path]:
        """To each receiver, with links of its own."""
        channels = [*self.channels] * (len(self.forward) if len(self.channels) == 1 else 1)
        back = channels[0] if self.back is None else self.back
        return [
            Path.seeded(address, channel, back, self.seed + number)
            for number, (address, channel) in enumerate(zip(self.forward, channels, strict=True))
        ]


def run_proxy(options: ProxyOptions, display: Display) -> None:
    """Carries datagrams for as long as asked; raises UsageError before that if an address cannot be used."""
    with display:
        asyncio.run(_run(options, display))


async def _run(options: ProxyOptions, display: Display) -> None:
    proxy = Proxy(options.paths())
    address = await proxy.listen(options.listen)
    for path in proxy.paths:
        display.note(f"{path.address}: {path.there.settings}")
    display.note(f"answers: {proxy.paths[0].back.settings}")
    display.note(f"listening at {address}")
    live = _LiveFigures(proxy, display)
    showing = asyncio.create_task(live.keep_showing())
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(proxy.run(), options.duration_s)
    finally:
        showing.cancel()
        live.show()
        for path in proxy.paths:
            display.summary(f"{path.address}: {_totals_in_words(path)}")
        if proxy.overflowed:
            display.note(f"{proxy.overflowed} datagrams dropped: they came faster than this machine could pass them on")


class _LiveFigures:
    """Shows the figures of every path on which something happened since they were last shown."""

    def __init__(self, proxy: Proxy, display: Display) -> None:
        self._paths, self._display = proxy.paths, display
        self._clock = asyncio.get_running_loop().time
        self._started_s = self._clock()
        self._shown = [(0, 0)] * len(proxy.paths)

    async def keep_showing(self) -> None:
        while True:
            await asyncio.sleep(FIGURES_S)
            self.show()

    def show(self) -> None:
        now = self._clock()
        time_s = now - self._started_s
        for number, path in enumerate(self._paths):
            offered = (path.there.statistics.offered, path.back.statistics.offered)
            record = figures(path, now)
            if offered != self._shown[number] or record["rate_bps"]:
                self._shown[number] = offered
                text = f"{time_s:.0f} s  {path.address}: {_in_words(record)}"
                self._display.event({"time_s": round(time_s, 3)} | record, text)
        self._display.progress([_progress(path, now) for path in self._paths])


def figures(path: Path, now: float) -> dict[str, Any]:
    """What a path has done so far, and how it does at `now`: values for JSON, None for what does not apply.

    Rate and delay are of what arrived in the last FIGURES_S.
    """
    begun = [passage for passage in path.latest if passage.begin_s <= now]
    arrived = [passage for passage in begun if passage.arrivals and -FIGURES_S < passage.arrivals[0][0] - now <= 0]
    delays_s = sorted(passage.arrivals[0][0] - passage.offered_s for passage in arrived)
    snr_db = path.there.snr_db(now)
    size = sum(len(passage.arrivals[0][1]) for passage in arrived)
    return {
        "to": str(path.address),
        **asdict(path.there.statistics),
        "rate_bps": size * 8 / FIGURES_S,
        "delay_s": delays_s[len(delays_s) // 2] if delays_s else None,
        "snr_db": snr_db if snr_db is not None and isfinite(snr_db) else None,
        "mcs": begun[-1].mcs or None if begun else None,
        "answers": asdict(path.back.statistics),
    }


def _in_words(record: dict[str, Any]) -> str:
    words = [f"{format_bandwidth(record['rate_bps'], digits=3)}"]
    if record["delay_s"] is not None:
        words.append(f"delay {format_time(record['delay_s'], digits=3)}")
    if record["snr_db"] is not None:
        words.append(f"SNR {format_decibel(record['snr_db'], digits=3)}")
    if record["mcs"]:
        words.append(record["mcs"])
    return ", ".join(words) + f"; of {record['offered']} packets {_counts(record)}"


def _totals_in_words(path: Path) -> str:
    statistics = asdict(path.there.statistics)
    share = statistics["delivered"] / statistics["offered"] if statistics["offered"] else 0.0
    answers = path.back.statistics
    text = f"{statistics['offered']} packets, {format_percent(share, digits=3)} delivered, {_counts(statistics)}"
    return text + (f"; {answers.delivered} of {answers.offered} answers delivered" if answers.offered else "")


def _counts(statistics: dict[str, Any]) -> str:
    shown = [f"{statistics[name]} {name}" for name in ("lost", "dropped")]
    shown += [f"{statistics[name]} {name}" for name in ("damaged", "duplicated") if statistics[name]]
    return ", ".join(shown)


def _progress(path: Path, now: float) -> Progress:
    statistics = path.there.statistics
    share = statistics.delivered / statistics.offered if statistics.offered else 0.0
    marks = {Fate.DELIVERED: ARRIVED, Fate.DAMAGED: ARRIVED}
    trace = "".join(marks.get(passage.fate, LOST) for passage in path.latest)
    return Progress(str(path.address), share, _in_words(figures(path, now)), trace)

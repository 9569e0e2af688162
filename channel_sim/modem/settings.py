"""The settings of a modem."""

from __future__ import annotations

from dataclasses import dataclass

from channel_sim.modem.mcs import MCS_NAMES
from channel_sim.radio.bounds import check_range
from progressive.errors import UsageError
from progressive.units import format_frequency, format_percent, format_time

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class Modem:
    """How packets are modulated and coded.

    Fields:
        bandwidth_hz: of the channel, 1 Hz to 10 GHz; rates are proportional to it. None takes the radio channel's own
            (of its link budget or tapped delay line), or 1 MHz where it has none.
        mcs: the name of the modulation and coding scheme (`channel_sim.modem.mcs.SCHEMES`), or "auto" for link
            adaptation: the fastest that the receiver's last report promises to work.
        target: share of the packets that link adaptation lets be lost, 0.001 to 0.5.
        report_delay_s: how old the receiver's reports are, of SNR and of losses, 0 to 60 s.
    """

    bandwidth_hz: float | None = None
    mcs: str = AUTO
    target: float = 0.1
    report_delay_s: float = 0.01

    def __post_init__(self) -> None:
        if self.bandwidth_hz is not None:
            check_range("a modem's bandwidth", self.bandwidth_hz, 1, 10e9, "Hz")
        if self.mcs != AUTO and self.mcs not in MCS_NAMES:
            raise UsageError(f"there is no scheme {self.mcs[:40]!r}: use {AUTO}, {', '.join(MCS_NAMES)}")
        check_range("a target of lost packets", self.target, 0.001, 0.5)
        check_range("a delay of reports", self.report_delay_s, 0, 60, "s")

    def __str__(self) -> str:
        """One line for a person, such as 'modem qpsk-1/2 in 1 MHz'."""
        bandwidth = "" if self.bandwidth_hz is None else f" in {format_frequency(self.bandwidth_hz)}"
        if self.mcs != AUTO:
            return f"modem {self.mcs}{bandwidth}"
        target = f"{format_percent(self.target)} lost, reports after {format_time(self.report_delay_s)}"
        return f"adaptive modem{bandwidth} ({target})"

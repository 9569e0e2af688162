"""The settings of a radio channel: fading, shadowing, link budget, and the whole of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from channel_sim.radio.bounds import check_range
from channel_sim.radio.motion import Motion
from channel_sim.radio.path_loss import SPEED_OF_LIGHT_MPS, PathLoss
from progressive.errors import UsageError
from progressive.units import format_decibel, format_distance, format_frequency, format_power, format_time

BOLTZMANN = 1.380649e-23
NOISE_TEMPERATURE_K = 290.0

Profile = Literal["A", "B", "C", "D", "E"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How fading varies with time.

    With neither field, the Doppler frequency follows from the motion's speed and the path loss's carrier.

    Fields:
        doppler_hz: largest Doppler frequency of the Clarke-Jakes spectrum, 0 (never changes) to 100 kHz.
        block_s: instead, fading stays for blocks of this many seconds, 1 us to 1 h, each independent of the others.
    """

    doppler_hz: float | None = None
    block_s: float | None = None

    def __post_init__(self) -> None:
        if self.doppler_hz is not None and self.block_s is not None:
            raise UsageError("fading has either a Doppler frequency or a block length: give one of them")
        if self.doppler_hz is not None:
            check_range("a Doppler frequency", self.doppler_hz, 0, 100e3, "Hz")
        if self.block_s is not None:
            check_range("a fading block", self.block_s, 1e-6, 3600, "s")

    def __str__(self) -> str:
        if self.block_s is not None:
            return f", blocks of {format_time(self.block_s)}"
        return "" if self.doppler_hz is None else f", Doppler {format_frequency(self.doppler_hz)}"


@dataclass(frozen=True, slots=True)
class Rayleigh:
    """Many paths, none of them strong."""

    variation: Variation = Variation()

    def __str__(self) -> str:
        return f"Rayleigh fading{self.variation}"


@dataclass(frozen=True, slots=True)
class Rician:
    """Many paths and a strong one.

    Fields:
        k_db: power of the strong path over that of all others, -40 to 40 dB.
        los_angle_deg: between the strong path and the receiver's motion, 0 to 180: its Doppler shift is the largest
            one times the cosine. At 90, the default, it has none, which is the case of the textbooks' closed forms.
    """

    k_db: float
    los_angle_deg: float = 90.0
    variation: Variation = Variation()

    def __post_init__(self) -> None:
        check_range("a Rician K factor", self.k_db, -40, 40, "dB")
        check_range("an angle of the strong path", self.los_angle_deg, 0, 180, "degrees")

    def __str__(self) -> str:
        angle = "" if self.los_angle_deg == 90 else f", strong path at {self.los_angle_deg:g} degrees"
        return f"Rician fading, K {format_decibel(self.k_db)}{angle}{self.variation}"


@dataclass(frozen=True, slots=True)
class Nakagami:
    """Fading of any depth: m = 1 is Rayleigh's, less is deeper, more is shallower.

    Fields:
        m: shape, 0.5 to 20. Its dynamics are exact where 2 m is a whole number (see `fading`).
    """

    m: float
    variation: Variation = Variation()

    def __post_init__(self) -> None:
        check_range("a Nakagami shape m", self.m, 0.5, 20)

    def __str__(self) -> str:
        return f"Nakagami fading, m {self.m:g}{self.variation}"


@dataclass(frozen=True, slots=True)
class TappedDelayLine:
    """Frequency-selective fading by a profile of 3GPP TR 38.901, tables 7.7.2-1 to 7.7.2-5.

    Its effective SNR is that of the flat channel with the same capacity over the bandwidth, or, with `beta`, the
    exponential effective SNR (see `tapped_delay`).

    Fields:
        profile: "A", "B", "C" (no line of sight), "D" or "E" (line of sight).
        delay_spread_s: rms, 0 (flat) to 10 us; table 7.7.3-1 calls 10 ns very short, 30 short, 100 nominal, 300 long,
            1000 very long.
        bandwidth_hz: over which the SNR is effective, 1 Hz to 10 GHz; None takes the link budget's.
        beta: of the exponential mapping, 0.1 to 1000 (larger for denser modulation); None maps by capacity.
    """

    profile: Profile
    delay_spread_s: float = 100e-9
    bandwidth_hz: float | None = None
    beta: float | None = None
    variation: Variation = Variation()

    def __post_init__(self) -> None:
        if self.profile not in {"A", "B", "C", "D", "E"}:
            raise UsageError(f"there is no profile TDL-{self.profile}: use A, B, C, D or E")
        check_range("a delay spread", self.delay_spread_s, 0, 10e-6, "s")
        if self.bandwidth_hz is not None:
            check_range("a bandwidth", self.bandwidth_hz, 1, 10e9, "Hz")
        if self.beta is not None:
            check_range("a beta of the exponential effective SNR", self.beta, 0.1, 1000)

    def __str__(self) -> str:
        bandwidth = "" if self.bandwidth_hz is None else f" in {format_frequency(self.bandwidth_hz)}"
        beta = "" if self.beta is None else f", beta {self.beta:g}"
        spread = format_time(self.delay_spread_s)
        return f"TDL-{self.profile} fading{bandwidth}, delay spread {spread}{beta}{self.variation}"


Fading: TypeAlias = Rayleigh | Rician | Nakagami | TappedDelayLine


@dataclass(frozen=True, slots=True)
class Shadowing:
    """What stands in the way: log-normal, correlated over the distance travelled (Gudmundson, 1991).

    Fields:
        deviation_db: standard deviation, 0 to 30 dB.
        correlation_m: distance over which the correlation falls to 1/e, 0.1 m to 100 km.
    """

    deviation_db: float
    correlation_m: float = 50.0

    def __post_init__(self) -> None:
        check_range("a deviation of shadowing", self.deviation_db, 0, 30, "dB")
        check_range("a correlation distance", self.correlation_m, 0.1, 100e3, "m")

    def __str__(self) -> str:
        return f"shadowing of {format_decibel(self.deviation_db)} over {format_distance(self.correlation_m)}"


@dataclass(frozen=True, slots=True)
class Budget:
    """A link budget: SNR = transmitted power + gains - path loss - noise.

    Fields:
        path_loss: the model, with its carrier frequency.
        power_dbm: transmitted, -100 to 100 dBm.
        bandwidth_hz: in which noise is received, 1 Hz to 10 GHz.
        gains_db: both antennas' gains less cable and other losses, -200 to 200 dB.
        noise_figure_db: of the receiver over thermal noise at 290 K, 0 to 50 dB.
    """

    path_loss: PathLoss
    power_dbm: float
    bandwidth_hz: float
    gains_db: float = 0.0
    noise_figure_db: float = 6.0

    def __post_init__(self) -> None:
        check_range("a transmitted power", self.power_dbm, -100, 100, "dBm")
        check_range("a bandwidth", self.bandwidth_hz, 1, 10e9, "Hz")
        check_range("a sum of gains", self.gains_db, -200, 200, "dB")
        check_range("a noise figure", self.noise_figure_db, 0, 50, "dB")

    @property
    def noise_dbm(self) -> float:
        """Power of the noise that the receiver sees: k T B and its noise figure."""
        thermal_w = BOLTZMANN * NOISE_TEMPERATURE_K * self.bandwidth_hz
        return 10 * math.log10(thermal_w * 1e3) + self.noise_figure_db

    @property
    def snr_without_loss_db(self) -> float:
        """The SNR to which a path without loss would lead."""
        return self.power_dbm + self.gains_db - self.noise_dbm

    def __str__(self) -> str:
        gains = f", gains {format_decibel(self.gains_db)}" if self.gains_db else ""
        return (
            f"{format_power(self.power_dbm)} in {format_frequency(self.bandwidth_hz)}{gains}, "
            f"noise figure {format_decibel(self.noise_figure_db)}, {self.path_loss}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Radio:
    """A radio channel; what is left out does not happen (no fading: additive white Gaussian noise alone).

    The mean is taken over fading, of the SNR as a ratio; it is the median over shadowing.

    Fields:
        mean_snr_db: the mean SNR, -100 to 100 dB; or else
        budget: the link budget from which it follows, which needs `motion` for the distance.
        motion: where the receiver is and how it moves; with a stated mean SNR only its speed counts, for shadowing.
        shadowing: varies only as far as the receiver moves.
        fading: small-scale fading.
    """

    mean_snr_db: float | None = None
    budget: Budget | None = None
    motion: Motion | None = None
    shadowing: Shadowing | None = None
    fading: Fading | None = None

    def __post_init__(self) -> None:
        if (self.mean_snr_db is None) == (self.budget is None):
            raise UsageError("a radio channel has either a mean SNR or a link budget: give one, such as snr=12dB")
        if self.mean_snr_db is not None:
            check_range("a mean SNR", self.mean_snr_db, -100, 100, "dB")
        if self.budget is not None and self.motion is None:
            raise UsageError(
                "a link budget needs a distance: say how far away the receiver is, such as motion:from=100m"
            )
        if self.fading is not None and self.fading.variation.block_s is None:
            check_range("a Doppler frequency", self.doppler_hz, 0, 100e3, "Hz")
        if isinstance(self.fading, TappedDelayLine):
            check_range("a bandwidth", self.bandwidth_hz, 1, 10e9, "Hz")

    @property
    def doppler_hz(self) -> float:
        """The fading's largest Doppler frequency: stated, or the speed over the wavelength; UsageError if neither."""
        stated_hz = None if self.fading is None else self.fading.variation.doppler_hz
        if stated_hz is not None:
            return stated_hz
        if self.motion is None or self.budget is None:
            raise UsageError(
                "fading needs a Doppler frequency such as doppler=10Hz, a block length such as block=5ms, "
                "or a link budget and a speed"
            )
        return self.motion.speed_mps * self.budget.path_loss.frequency_hz / SPEED_OF_LIGHT_MPS

    @property
    def bandwidth_hz(self) -> float:
        """The tapped delay line's bandwidth, or else the link budget's; UsageError if neither is given."""
        if isinstance(self.fading, TappedDelayLine) and self.fading.bandwidth_hz is not None:
            return self.fading.bandwidth_hz
        if self.budget is None:
            raise UsageError(
                "a tapped delay line needs the bandwidth over which its SNR is effective: bandwidth=1MHz, say"
            )
        return self.budget.bandwidth_hz

    def __str__(self) -> str:
        """One line for a person, such as 'mean SNR 12 dB, Rayleigh fading, Doppler 10 Hz'."""
        mean = "" if self.mean_snr_db is None else f"mean SNR {format_decibel(self.mean_snr_db)}"
        parts = (mean, self.budget, self.motion, self.shadowing, self.fading)
        return ", ".join(str(part) for part in parts if part)

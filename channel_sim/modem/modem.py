"""Modems that send packets over radio channels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.modem.adaptation import OuterLoop, Schemes
from channel_sim.modem.mcs import EFFICIENCIES, MCS_NAMES, error_rates, packet_error_rate
from channel_sim.modem.settings import AUTO, Modem
from channel_sim.radio.channel import RadioChannel
from channel_sim.radio.settings import Radio, TappedDelayLine

Floats = NDArray[np.float64]

DEFAULT_BANDWIDTH_HZ = 1e6

SAMPLES_PER_COHERENCE = 10
"""The SNR is taken this often in a Doppler cycle or a fading block; between two samples a Rayleigh process keeps a
correlation of J0(2 pi / 10) = 0.90."""

MOST_SAMPLES = 64
"""A packet that lasts longer sees every state of the channel anyway."""


class Transmission(NamedTuple):
    """What became of one packet.

    Fields:
        duration_s: in the air.
        lost: whether a bit of it is wrong after decoding.
        bit_error_rate: share of the decoded bits that are wrong on average where a packet is lost, up to 1/2; else 0.
        mcs: name of its modulation and coding scheme.
        snr_db: at its middle.
    """

    duration_s: float
    lost: bool
    bit_error_rate: float
    mcs: str
    snr_db: float


class Transmissions(NamedTuple):
    """What became of one packet on each link, [links] each; `schemes` are numbers, for the rest see Transmission."""

    duration_s: Floats
    lost: NDArray[np.bool_]
    bit_error_rate: Floats
    schemes: Schemes
    snr_db: Floats


class ModemBank:
    """Modems on all links of a radio channel, each with its own packets in the air and its own link adaptation.

        report of an earlier SNR -> scheme -> duration -> SNR while in the air -> packet error rate -> fate
             ^ outer loop                                                                       |
             '----------------------------- acknowledgements, later ----------------------------'

    Args:
        settings: of every modem.
        radio: the channel, with one or more links.
        seed: of the fates.
    """

    def __init__(self, settings: Modem, radio: RadioChannel, *, seed: int | SeedSequence) -> None:
        self.settings = settings
        self.bandwidth_hz = bandwidth_hz(settings, radio.settings)
        self._radio = radio
        self._rng = np.random.default_rng(seed)
        self._sample_s = _coherence_s(radio.settings) / SAMPLES_PER_COHERENCE
        self._loop = OuterLoop(radio.links, settings.target) if settings.mcs == AUTO else None
        # Tables and libraries are loaded now: in real time the first packet must not wait for them.
        error_rates(np.zeros(radio.links, dtype=np.intp), radio.snr_db(np.zeros(1))[:, 0])

    def transmit(self, start_s: Floats, size_bytes: int) -> Transmissions:
        """Sends a packet on every link.

        Args:
            start_s: when it starts on each link, [links] in seconds, not negative, never earlier than before.
            size_bytes: of the packet.
        """
        bits = 8 * size_bytes
        schemes = self._schemes(start_s)
        duration_s = bits / (EFFICIENCIES[schemes] * self.bandwidth_hz)
        samples = min(MOST_SAMPLES, max(1, math.ceil(float(duration_s.max()) / self._sample_s)))
        fractions = (np.arange(samples) + 0.5) / samples
        snr_db = self._snr_db(start_s[:, None] + duration_s[:, None] * fractions)
        rates = error_rates(schemes[:, None], snr_db)
        survival = np.prod(1 - packet_error_rate(rates.events, bits / samples), axis=1)
        lost = self._rng.random(len(schemes)) >= survival
        if self._loop is not None:
            self._loop.sent(start_s + duration_s + self.settings.report_delay_s, schemes, lost)
        # Events are rarer than wrong bits: those of a lost packet are the mean of all packets, shared among the lost.
        damage_rate = np.where(lost, np.minimum(rates.bits.mean(axis=1) / (1 - survival * lost), 0.5), 0.0)
        return Transmissions(duration_s, lost, damage_rate, schemes, snr_db[:, samples // 2])

    def _schemes(self, start_s: Floats) -> Schemes:
        if self._loop is None:
            return np.full(len(start_s), MCS_NAMES.index(self.settings.mcs))
        self._loop.learn(start_s)
        reported_s = np.maximum(start_s - self.settings.report_delay_s, 0)
        return self._loop.choose(self._snr_db(reported_s[:, None])[:, 0])

    def _snr_db(self, times_s: Floats) -> Floats:
        """SNR in dB on each link at its own times in seconds, [links, samples] -> [links, samples]."""
        together = np.all(times_s == times_s[0])
        return self._radio.snr_db(times_s[0] if together else times_s)


class ModemState:
    """A modem on a single link; see ModemBank."""

    def __init__(self, settings: Modem, radio: RadioChannel, *, seed: int | SeedSequence) -> None:
        self._bank = ModemBank(settings, radio, seed=seed)

    def transmit(self, start_s: float, size_bytes: int) -> Transmission:
        """Sends a packet at this time (not negative, never earlier than before), in seconds."""
        sent = self._bank.transmit(np.array([start_s], dtype=np.float64), size_bytes)
        return Transmission(
            float(sent.duration_s[0]),
            bool(sent.lost[0]),
            float(sent.bit_error_rate[0]),
            MCS_NAMES[sent.schemes[0]],
            float(sent.snr_db[0]),
        )


def bandwidth_hz(settings: Modem, radio: Radio) -> float:
    """What the modem has: its own, or else the radio channel's, or else `DEFAULT_BANDWIDTH_HZ`."""
    if settings.bandwidth_hz is not None:
        return settings.bandwidth_hz
    stated = radio.budget is not None or (
        isinstance(radio.fading, TappedDelayLine) and radio.fading.bandwidth_hz is not None
    )
    return radio.bandwidth_hz if stated else DEFAULT_BANDWIDTH_HZ


def _coherence_s(radio: Radio) -> float:
    """Time over which fading changes: a block, or a cycle of the largest Doppler frequency; infinite without either."""
    if radio.fading is None:
        return math.inf
    if radio.fading.variation.block_s is not None:
        return radio.fading.variation.block_s
    return 1 / radio.doppler_hz if radio.doppler_hz else math.inf

"""A radio channel: the signal-to-noise ratio that receivers see over time."""

from __future__ import annotations

import numpy as np
from numpy.random import SeedSequence
from numpy.typing import NDArray

from channel_sim.radio.fading import FlatFading
from channel_sim.radio.settings import Radio, TappedDelayLine
from channel_sim.radio.shadowing import ShadowingProcess
from channel_sim.radio.tapped_delay import TappedDelayLineFading
from progressive.errors import UsageError

Floats = NDArray[np.float64]

LATEST_S = 1e12
"""Block fading of the shortest blocks can still number them."""


class RadioChannel:
    """Links with the same settings, each with shadowing and fading of its own.

        distance -> path loss -> mean SNR -> shadowing -> local mean SNR -> fading -> SNR

    The SNR at a time depends on the settings, the seed, the link's number and that time alone, but for rounding: times
    may be asked for in any order, again and again, and the first links are the same however many there are.

    Args:
        settings: what the air does.
        links: how many independent receivers.
        seed: of shadowing and fading, which are drawn from separate streams of it.
    """

    def __init__(self, settings: Radio, *, links: int = 1, seed: int | SeedSequence) -> None:
        if links < 1:
            raise UsageError(f"{links} links are impossible: use 1 or more")
        self.settings = settings
        self.links = links
        # Not spawned from the caller's sequence: a channel made twice of one sequence would differ.
        root = seed if isinstance(seed, SeedSequence) else SeedSequence(seed)
        shadowing_seed, fading_seed = (
            SeedSequence(root.entropy, spawn_key=(*root.spawn_key, stream)) for stream in range(2)
        )
        self._shadowing = (
            None
            if settings.shadowing is None
            else ShadowingProcess(settings.shadowing, links=links, seed=shadowing_seed)
        )
        self._fading = _fading(settings, links, fading_seed)

    def snr_db(self, times_s: Floats) -> Floats:
        """SNR in dB, [links, T]; -inf where there is no path at all.

        Args:
            times_s: in seconds, 0 to 10^12, [T], or each link's own, [links, T].
        """
        times_s = np.asarray(times_s, dtype=np.float64)
        mean_db = self.local_mean_db(times_s)
        if self._fading is None:
            return mean_db
        with np.errstate(divide="ignore"):  # no signal: the logarithm of zero is -inf, as it should be
            if isinstance(self._fading, TappedDelayLineFading):
                snr_db: Floats = 10 * np.log10(self._fading.effective_snr(10 ** (mean_db / 10), times_s))
            else:
                snr_db = mean_db + 20 * np.log10(np.abs(self._fading.gains(times_s)))
        return snr_db

    def local_mean_db(self, times_s: Floats) -> Floats:
        """SNR without small-scale fading, of the same shape and at the same times as `snr_db`."""
        settings = self.settings
        times_s = np.asarray(times_s, dtype=np.float64)
        listed = times_s.ndim in {1, 2} and times_s.shape[:-1] in {(), (self.links,)}
        if not (listed and np.all((times_s >= 0) & (times_s <= LATEST_S))):
            raise UsageError(
                f"a radio channel is asked for times of 0 to {LATEST_S:g} s: one list, or a list for each link"
            )
        mean_db = np.full(times_s.shape, settings.mean_snr_db or 0.0)
        if settings.budget is not None and settings.motion is not None:
            loss_db = settings.budget.path_loss.loss_db(settings.motion.distance_m(times_s))
            mean_db = settings.budget.snr_without_loss_db - loss_db
        links_db = np.array(np.broadcast_to(mean_db, (self.links, times_s.shape[-1])))
        if self._shadowing is not None:
            travelled_m = np.zeros_like(times_s) if settings.motion is None else settings.motion.travelled_m(times_s)
            links_db = links_db + self._shadowing.level_db(travelled_m)
        return links_db


def _fading(settings: Radio, links: int, seed: SeedSequence) -> FlatFading | TappedDelayLineFading | None:
    if settings.fading is None:
        return None
    doppler_hz = None if settings.fading.variation.block_s is not None else settings.doppler_hz
    if isinstance(settings.fading, TappedDelayLine):
        return TappedDelayLineFading(settings.fading, doppler_hz, settings.bandwidth_hz, links=links, seed=seed)
    return FlatFading(settings.fading, doppler_hz, links=links, seed=seed)

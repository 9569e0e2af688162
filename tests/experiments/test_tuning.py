from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from materials import PACKET, whole
from PIL import Image

from experiments import sources
from experiments.case import Conditions, Parameters, System
from experiments.material import Material
from experiments.tuning import combinations, tune
from progressive.codec import Photo

PACKETS = {0.2: 5, 0.4: 10, 0.8: 20}
"""Of 1,000 bytes in 200,000 pixels."""


@dataclass(frozen=True)
class Steps:
    """A source of more decibels at more packets, all of them or nothing."""

    rates_bpp: tuple[float, ...] = tuple(PACKETS)

    def check(self) -> None: ...

    def identity(self) -> str:
        return "steps"

    def material(self, photo: Photo, rate_bpp: float | None, packet_size: int, folder: Path) -> Material:
        assert rate_bpp is not None
        material = whole(PACKETS[rate_bpp])
        material.pieces.removed[-1] *= 1 + rate_bpp / 100
        return material


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setitem(sources.PEERS, "steps", Steps())
    Image.fromarray(np.zeros((400, 500, 3), np.uint8)).save(tmp_path / "photo.png")
    return [str(tmp_path / "photo.png")]


def tuned(
    delivery: str, channel: str, photos: list[str], cache: Path, *, slots: int = 20, assumed: float = 1
) -> Parameters:
    conditions = Conditions(channel, 8 * PACKET, slots, assumed)
    return tune(System("steps", delivery), conditions, photos, "final", 400, 3, cache)


def test_without_losses_the_best_file_is_sent_as_it_is(photos: list[str], tmp_path: Path) -> None:
    found = tuned("equal", "none", photos, tmp_path)
    assert (found.rate_bpp, found.redundancy) == (0.8, 0)


def test_more_losses_call_for_smaller_files(photos: list[str], tmp_path: Path) -> None:
    rates = [tuned("equal", channel, photos, tmp_path).rate_bpp for channel in ("loss:1%", "loss:25%", "loss:60%")]
    assert rates == sorted(rates, reverse=True)
    assert rates[0] > rates[-1]


def test_who_believes_in_fewer_losses_sends_larger_files(photos: list[str], tmp_path: Path) -> None:
    known = tuned("equal", "loss:50%", photos, tmp_path, slots=24)
    half = tuned("equal", "loss:50%", photos, tmp_path, slots=24, assumed=0.25)
    assert (known.rate_bpp or 0) < (half.rate_bpp or 0)


def test_the_same_search_finds_the_same(photos: list[str], tmp_path: Path) -> None:
    once, again = (tuned("equal", "ep5", photos, tmp_path) for _ in range(2))
    assert once == again


def test_files_far_beyond_the_budget_are_not_tried(photos: list[str]) -> None:
    conditions = Conditions("none", 8 * PACKET, 6)
    tried = combinations(System("steps", "planned"), conditions, photos, "area")
    assert {parameters.rate_bpp for parameters in tried} == {0.2}
    assert {parameters.objective for parameters in tried} == {"area"}


def test_of_ours_only_packets_and_the_first_tier_are_searched_for(photos: list[str]) -> None:
    tried = combinations(System("rmpgc", "planned"), Conditions("ep4", 50_000, 10), photos, "area")
    assert tried == [Parameters(size, block=block) for size in (1100, 550) for block in (8, 16, 32)]

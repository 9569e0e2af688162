from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import systems
from experiments.case import Case, Conditions, Parameters, System
from experiments.deliveries import DELIVERIES
from experiments.systems import base_probability, check_system, identity, run
from progressive.errors import UsageError

CONDITIONS = Conditions("ep4+delay:40ms", 20_000, 3)
PARAMETERS = Parameters(packet_size=300, redundancy=0.5, block=4, depth=1)


@pytest.fixture
def photo(tmp_path: Path) -> str:
    rng = np.random.default_rng(1)
    path = tmp_path / "photo.png"
    Image.fromarray(rng.integers(0, 255, (8, 11, 3), np.uint8)).resize((240, 192)).save(path)
    return str(path)


def case_of(photo: str, source: str, delivery: str, trials: int = 300) -> Case:
    return Case(photo, System(source, delivery), CONDITIONS, PARAMETERS, trials, seed=9)


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_the_same_case_gives_the_same_bits(photo: str, thumbnails: str, delivery: str, tmp_path: Path) -> None:
    once, again = (run(case_of(photo, thumbnails, delivery), tmp_path / folder) for folder in ("a", "b"))
    other = run(replace(case_of(photo, thumbnails, delivery), seed=10), tmp_path / "a")
    for name in ("psnr", "ms_ssim", "area", "first_s", "recognisable_s", "sent_bytes", "psnr_over_time"):
        assert getattr(once, name).tobytes() == getattr(again, name).tobytes()
    assert once.area.tolist() != other.area.tolist()


def test_more_trials_begin_with_the_same_ones(
    photo: str, thumbnails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(systems, "TRIALS_AT_ONCE", 64)
    few, many = (run(case_of(photo, thumbnails, "planned", trials), tmp_path) for trials in (128, 200))
    assert few.psnr.tolist() == many.psnr[:128].tolist()
    assert few.psnr[:64].tolist() != few.psnr[64:].tolist()


def test_the_base_arrives_as_often_as_the_chain_says(photo: str, thumbnails: str, tmp_path: Path) -> None:
    for channel in ("ep4", "ep6"):
        case = replace(
            case_of(photo, thumbnails, "planned", trials=20_000), conditions=Conditions(channel, 20_000, 1.2)
        )
        exact = base_probability(case, tmp_path)
        assert 0.5 < exact < 0.9999
        spread = (exact * (1 - exact) / 20_000) ** 0.5
        assert run(case, tmp_path).base_complete.mean() == pytest.approx(exact, abs=4 * spread)


def test_the_odds_of_a_base_need_a_chain(photo: str, thumbnails: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="planned delivery over ge: and loss: channels"):
        base_probability(case_of(photo, thumbnails, "none"), tmp_path)


def test_unknown_systems_are_named() -> None:
    with pytest.raises(UsageError, match=r"unknown source 'gif': use one of .*rmpgc.*avif-thumbnail"):
        check_system(System("gif", "none"))
    with pytest.raises(UsageError, match="unknown delivery 'prayer': use one of none, equal, planned, retransmission"):
        check_system(System("avif", "prayer"))


def test_sources_are_told_apart() -> None:
    assert (
        len({identity(source) for source in ("rmpgc", "dual_autoencoder", "jpeg2000", "avif", "avif-thumbnail")}) == 5
    )

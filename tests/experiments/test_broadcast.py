import math
from pathlib import Path

import numpy as np
import pytest

from channel_sim.loss import draw_trials
from experiments.broadcast import Broadcast, ObservedLosses, candidates, final_psnr, try_broadcast
from experiments.broadcast_file import is_broadcast, read_broadcast
from experiments.ideal import ideal_gap
from experiments.material import Material, Pieces
from progressive.errors import UsageError
from progressive.loss_model import LossModel
from progressive.wire.protection import Goal, Plan, Slot, plan_protection


def layered(packets: int = 12, size: int = 1000) -> Material:
    """A base of two packets that leaves 100, then packets that need the base and remove 8 each."""
    needs = np.tile(np.array([0, 1], dtype=np.intp), (packets, 1))
    needs[0] = packets
    needs[1] = (0, packets)
    removed = np.array([500.0, 400.0, *(8.0 for _ in range(packets - 2))])
    pieces = Pieces(np.arange(packets), needs, removed, np.zeros(packets))
    return Material(
        sizes=np.full(packets, size),
        needs=needs,
        utility=removed,
        base=2,
        first_picture=1,
        pieces=pieces,
        grey=1000.0,
        grey_similarity=0.0,
        samples=300,
        decode_s=0.1,
    )


def psnr(left: float) -> float:
    return 10 * math.log10(255**2 * 300 / left)


def test_quality_follows_from_what_is_there() -> None:
    material = layered()
    plan = Plan(tuple(Slot(0, i) for i in range(3)), (1000,) * 3, (2, 0, 0))
    lost = np.array([[False, False, False], [True, False, False], [False, True, True], [True, True, False]])
    # The third packet is parity of the base: any two of the three give it.
    assert final_psnr(material, plan, lost).tolist() == pytest.approx([psnr(100), psnr(100), psnr(500), psnr(1000)])


def test_stripes_need_a_number_of_packets_whichever_they_are() -> None:
    material = layered()
    plan = Plan(tuple(Slot(0, i) for i in range(5)), (1000,) * 5, (2, 4, 0), striped=True)
    lost = np.ones((6, 5), dtype=np.bool_)
    for count in range(6):
        lost[count, 5 - count :] = False
    in_tier = sum(shape.k for shape in material.blocks()[1:2])
    left = [1000, 1000, 100, 100, 100 - 8 * in_tier, 100 - 8 * in_tier]
    assert final_psnr(material, plan, lost).tolist() == pytest.approx([psnr(value) for value in left])


def test_observed_losses_count_what_arrived() -> None:
    """As the chain does that they were drawn from: 20,000 fates, tolerance 4 standard errors."""
    model = LossModel(0.2, 3.0)
    observed = ObservedLosses.of(draw_trials(model, 20_000, 12, seed=0))
    assert observed.loss == pytest.approx(0.2, abs=0.01)
    exact = model.received_distribution(range(8))
    errors = np.sqrt(exact * (1 - exact) / 20_000)
    assert np.all(np.abs(observed.received_distribution(range(8)) - exact) <= 4 * errors + 1e-12)


def test_the_candidates_know_every_receiver_and_all_together() -> None:
    lost = np.stack([draw_trials(LossModel(loss), 200, 30, seed=1) for loss in (0.05, 0.6)])
    plans = candidates(layered(), 12_000, lost)
    assert list(plans) == ["none"] + [
        f"{policy} for {words}" for words in ("receiver 1", "receiver 2", "all receivers") for policy in ("auto", "pet")
    ]
    assert all(sum(plan.sizes) <= 12_000 for plan in plans.values())


def test_pet_takes_losses_as_they_were_seen() -> None:
    """All packets or none arrive: stripes of parity would be wasted, so that as much is sent as without losses."""
    lost = np.zeros((100, 20), dtype=np.bool_)
    lost[::2] = True
    blocks = layered().blocks()
    at_once = plan_protection("pet", blocks, Goal(14_000, model=ObservedLosses.of(lost), objective="final"))
    lossless = plan_protection("pet", blocks, Goal(14_000, model=LossModel(0.0), objective="final"))
    independent = plan_protection("pet", blocks, Goal(14_000, model=LossModel(0.5), objective="final"))
    assert at_once.sources == lossless.sources
    assert sum(k > 0 for k in independent.sources) < sum(k > 0 for k in lossless.sources) or (
        independent.sources[0] < lossless.sources[0]
    )


def test_one_choice_for_all_beside_the_best_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    material = layered()
    monkeypatch.setattr("experiments.broadcast.material_of", lambda *_: material)
    pixels = material.samples // 3
    broadcast = Broadcast(
        title="",
        photos=("photo",),
        channels=("loss:{}%",),
        snrs_db=(5.0, 20.0, 40.0),
        bandwidth_bps=50_000,
        rate_bpp=8 * 12_000 / pixels,
        simulcast_bpp=(8 * 6_000 / pixels, 8 * 9_000 / pixels),
        packet_size=1000,
        trials=400,
        seeds=(0,),
    )
    record = try_broadcast(broadcast, "loss:{}%", "photo", 0, tmp_path)
    assert record["loss"] == pytest.approx([0.05, 0.2, 0.4], abs=0.02)  # 7,600 fates each: 4 standard errors
    assert record["bytes"] <= 12_000
    assert record["simulcast_bytes"] == 15_000
    assert np.all(np.diff(record["unicast"]) < 0)
    gaps = np.array(record["unicast"]) - record["broadcast"]
    assert gaps.mean() > 0.1
    assert np.all(gaps > -0.5), "chance: candidates are chosen on other fates than those they are measured on"
    assert np.mean(record["unicast"]) > np.mean(record["simulcast"])
    assert record["ideal"] >= 0
    assert try_broadcast(broadcast, "loss:{}%", "photo", 0, tmp_path) == record


SIZES, PSNR = np.array([0.0, 1000.0, 2000.0, 4000.0]), np.array([10.0, 20.0, 25.0, 30.0])


def test_receivers_alike_leave_no_gap() -> None:
    assert ideal_gap(SIZES, PSNR, np.array([0.5, 0.5, 0.5]), 4000) == pytest.approx(0, abs=0.05)


def test_the_best_split_between_two_receivers() -> None:
    """Of 4,000 bytes one receiver gets half, the other all. Bytes up to 2,000 serve both at 2 + 0 of airtime each, and
    bring 0.005 dB a byte to two receivers; those beyond bring 0.0025 dB to one. So both decode 2,000, for all of
    the airtime: the first loses nothing, the second 5 dB."""
    assert ideal_gap(SIZES, PSNR, np.array([0.5, 1.0]), 4000) == pytest.approx(2.5, abs=0.05)


def test_a_receiver_that_gets_almost_nothing_is_given_up() -> None:
    """To serve 1 % of the packets would take all airtime for 40 bytes, 0.4 dB, which are lost to it; nine others keep
    all."""
    arrives = np.array([0.01] + [1.0] * 9)
    assert ideal_gap(SIZES, PSNR, arrives, 4000) == pytest.approx(0.4 / 10, abs=0.01)


FILE = """\
kind = "broadcast"
title = "Broadcast"
photos = ["skimage:astronaut"]
channels = ["rayleigh:snr={}dB,doppler=10Hz"]
receivers = [1, 19]
rate = 0.74
simulcast = [0.1, 0.6]
"""


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "broadcast.toml"
    path.write_text(FILE)
    assert is_broadcast(path)
    broadcast = read_broadcast(path)
    assert broadcast.snrs_db == (1, 19)
    assert broadcast.packet_size == 1100
    assert broadcast.bandwidth_bps == 50_000


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("snr={}dB", "snr=3dB", "channels: 'rayleigh:snr=3dB,doppler=10Hz' has no place for the SNR"),
        ("rayleigh", "raleigh", "channels: channel 'raleigh:snr=1dB,doppler=10Hz'"),
        ("[1, 19]", "[1]", "receivers: "),
        ("[1, 19]", "[1, 1]", "receivers: 1.0 is there twice"),
        ("rate = 0.74", "rate = 0", "rate: "),
        ("title", "name", "title: "),
    ],
)
def test_what_cannot_be_is_named_in_a_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "broadcast.toml"
    path.write_text(FILE.replace(old, new))
    with pytest.raises(UsageError) as error:
        read_broadcast(path)
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("key", "line"), [("rate", "rate = 0.01"), ("simulcast", "simulcast = [0.01, 0.6]")])
def test_a_rate_that_buys_no_packet_is_refused_with_one_that_does(key: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "broadcast.toml"
    text = FILE.replace("rate = 0.74", line) if key == "rate" else FILE.replace("simulcast = [0.1, 0.6]", line)
    path.write_text(text)
    with pytest.raises(UsageError, match=f"^{key}: 0.01 bits a pixel .* less than its first packet .* or more"):
        try_broadcast(read_broadcast(path), "rayleigh:snr={}dB,doppler=10Hz", "skimage:astronaut@128x128", 0, tmp_path)

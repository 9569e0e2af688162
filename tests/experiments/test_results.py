import csv
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from experiments.case import TIMES, Case, Conditions, Outcome, Parameters, System
from experiments.experiment import Experiment, Panel, Point
from experiments.results import Results, Row, csv_of, figures_of, row_of
from experiments.tables import percent, systems_table

OURS, THEIRS = System("ours", "planned"), System("theirs", "equal")
HERE = Conditions("ep4", 50_000, 10.0)


def outcome(psnr: list[float], shown: list[bool], seen_s: list[float]) -> Outcome:
    trials = len(psnr)
    return Outcome(
        psnr=np.array(psnr),
        ms_ssim=np.full(trials, math.nan),
        area=np.array(psnr) - 5,
        shown=np.array(shown),
        base_complete=np.array(shown),
        first_s=np.array(seen_s),
        recognisable_s=np.array(seen_s) + 1,
        sent_bytes=np.arange(trials, dtype=np.float64),
        redundancy=0.2,
        psnr_over_time=np.zeros(TIMES),
    )


def test_the_figures_of_a_case_by_hand() -> None:
    figures = figures_of(
        outcome([30, 20, 40, 10], [True, True, True, False], [1, 2, 9.5, math.inf]), deadline_s=10, outage_below_db=25
    )
    assert figures.psnr == 25
    assert figures.area == 20
    assert figures.outage == 0.5, "one below 25 dB, one without a picture"
    assert figures.shown == 0.75
    assert figures.first_s == (1 + 2 + 9.5 + 10) / 4, "what never comes counts as the deadline"
    assert figures.recognisable_s == (2 + 3 + 10 + 10) / 4
    assert figures.recognised == 0.5
    assert figures.sent_bytes == 1.5
    assert figures.ms_ssim is None


def test_a_picture_above_the_threshold_that_was_never_shown_is_an_outage() -> None:
    assert figures_of(outcome([30.0], [False], [math.inf]), 10, 25).outage == 1


def test_the_low_end_is_what_a_twentieth_does_not_reach() -> None:
    psnr = np.random.default_rng(0).permutation(np.arange(101.0)).tolist()
    figures = figures_of(outcome(psnr, [True] * 101, [1.0] * 101), 10, 0)
    assert figures.psnr_low == 5
    assert figures.area_low == 0


def results(values: dict[System, list[list[float]]]) -> Results:
    """PSNRs by system, photo and seed."""
    rows = [
        Row(
            Case(f"skimage:photo{photo}", system, HERE, Parameters(), 1, seed),
            figures_of(outcome([value], [True], [1.0]), 10, 0),
            tuple(np.linspace(0, value, TIMES)),
        )
        for system, photos in values.items()
        for photo, seeds in enumerate(photos)
        for seed, value in enumerate(seeds)
    ]
    return Results(rows, {})


def test_a_photo_counts_once_however_many_groups_of_trials_it_has() -> None:
    found = results({OURS: [[10, 20], [30, 30], [40, 50]]})
    assert found.values(OURS, HERE, "psnr").tolist() == [15, 30, 45]
    mean = found.mean(OURS, HERE, "psnr")
    assert mean.mean == 30
    assert mean.low >= 15
    assert mean.high <= 45


def test_gains_are_paired_by_photo() -> None:
    ours = [[20.0], [30.0], [40.0], [25.0]]
    found = results({OURS: ours, THEIRS: [[value - 1.5] for [value] in ours]})
    gain = found.gain(OURS, THEIRS, HERE, "psnr")
    assert (gain.mean, gain.low, gain.high) == (1.5, 1.5, 1.5)
    assert found.mean(OURS, HERE, "psnr").high - found.mean(OURS, HERE, "psnr").low > 5


def test_quality_over_time_has_the_interval_of_the_mean() -> None:
    """The band at the end is that of the mean of normal values: about 1.96 standard deviations over sqrt(photos)."""
    normal = np.random.default_rng(1).normal(0, 2, (2, 200))
    values = {OURS: normal[0] + 30, THEIRS: normal[1] + 30}
    found = results({system: [[float(value)] for value in own] for system, own in values.items()})
    for system, (mean, low, high) in zip(values, found.over_time([OURS, THEIRS], HERE), strict=True):
        assert mean[-1] == pytest.approx(values[system].mean())
        assert (mean[0], low[0], high[0]) == (0, 0, 0)
        assert (high[-1] + low[-1]) / 2 == pytest.approx(values[system].mean(), abs=0.03)
        wanted = 1.96 * ((normal[0] - normal[1]) / 2).std() / math.sqrt(200)
        assert (high[-1] - low[-1]) / 2 == pytest.approx(wanted, rel=0.1)  # 2,000 draws: about 3 % of standard error


def test_what_photos_add_for_all_systems_is_no_doubt_about_them() -> None:
    ours = [[20.0], [30.0], [40.0], [25.0]]
    found = results({OURS: ours, THEIRS: [[value - 1.5] for [value] in ours]})
    for estimate, mean in zip(found.compared([OURS, THEIRS], HERE, "psnr"), (28.75, 27.25), strict=True):
        assert (estimate.low, estimate.mean, estimate.high) == pytest.approx((mean, mean, mean))


def test_a_table_has_a_line_for_each_case() -> None:
    rows = list(csv.DictReader(csv_of(results({OURS: [[10], [20]]}).rows).decode().splitlines()))
    assert [row["psnr"] for row in rows] == ["10.0", "20.0"]
    assert rows[0]["ms_ssim"] == ""
    assert rows[0]["rate_bpp"] == ""
    assert rows[1]["photo"] == "skimage:photo1"
    assert rows[1]["channel"] == "ep4"


def test_no_two_columns_of_a_table_have_the_same_name() -> None:
    [header] = csv.reader([csv_of([]).decode()])
    assert len(set(header)) == len(header)
    rows = list(csv.DictReader(csv_of(results({OURS: [[10]]}).rows).decode().splitlines()))
    assert (rows[0]["redundancy"], rows[0]["redundancy_sent"]) == ("", "0.2")


def test_no_time_to_a_similarity_that_could_not_be_measured() -> None:
    one = Experiment(
        *("small", ("p",), ("t",), (OURS,), (Panel("x", (Point("ep4", "ep4"),)),), (50e3,), 10.0, (1.0,)),
        *("area", 1, 1, (0,), 25.0),
    )
    case = Case("skimage:p", OURS, HERE, Parameters(), 1, 0)
    for ms_ssim, told in ((None, "-"), (0.9, "2.00 s")):
        figures = replace(figures_of(outcome([30.0], [True], [1.0]), 10, 0), ms_ssim=ms_ssim)
        row = row_of(case, {"figures": asdict(figures), "psnr_over_time": [0.0] * TIMES})
        assert f"| {told} |" in systems_table(one, Results([row], {}), HERE)
        [values] = csv.DictReader(csv_of([row]).decode().splitlines())
        assert (values["recognisable_s"], values["recognised"]) == (("", "") if ms_ssim is None else ("2.0", "1.0"))


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0.00 %"),
        (0.004, "0.40 %"),
        (0.3, "30.0 %"),
        (0.993, "99.30 %"),
        (0.99998, "99.998 %"),
        (1, "100 %"),
        (1.194, "119.4 %"),
    ],
)
def test_shares_have_the_digits_that_matter(share: float, words: str) -> None:
    assert percent(share) == words

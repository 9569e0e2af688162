import json
import math
from pathlib import Path

import pytest

from progressive.errors import UsageError
from progressive.metrics.over_time import LOSSLESS_DB, QualityCurve, quality_curve, read_events, summarise
from progressive.output.folder import OutputFolder
from progressive.output.refinement import Refinement
from progressive.photos import sample_photo

STEPS = QualityCurve(((1.0, 20.0), (3.0, 30.0)))


def test_a_picture_stays_until_the_next_and_before_the_first_there_is_nothing() -> None:
    assert [STEPS.at(t) for t in (0, 0.99, 1, 2.9, 3, 100)] == [0, 0, 20, 20, 30, 30]


def test_areas_by_hand() -> None:
    assert STEPS.area(0.5) == 0
    assert STEPS.area(2) == 20
    assert STEPS.area(5) == 2 * 20 + 2 * 30
    assert STEPS.mean(5) == 20
    assert QualityCurve(((0.0, 25.0),)).mean(0) == 25


def test_an_earlier_picture_never_makes_the_area_smaller() -> None:
    sooner = QualityCurve(((0.5, 20.0), (3.0, 30.0)))
    assert all(sooner.area(t) >= STEPS.area(t) for t in (0, 0.7, 1.5, 4))
    assert sooner.area(4) - STEPS.area(4) == pytest.approx(0.5 * 20)


def test_time_to_a_quality() -> None:
    assert STEPS.reaches(20) == 1
    assert STEPS.reaches(20.1) == 3
    assert STEPS.reaches(31) is None


@pytest.mark.parametrize("until", [-1, math.inf, math.nan])
def test_an_area_needs_a_finite_end(until: float) -> None:
    with pytest.raises(UsageError, match="finite"):
        STEPS.area(until)


def test_curves_come_from_the_report_of_a_run(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    picture = sample_photo()[:8, :8]
    folder.add_refinement(picture, Refinement(0.5, 900, 0, 21.0, None))
    folder.add_refinement(picture, Refinement(2.0, 4000, 1, math.inf, None))
    folder.finish({}, 5000)
    events = read_events(tmp_path / "report.json")
    assert quality_curve(events).steps == ((0.5, 21.0), (2.0, LOSSLESS_DB))
    assert quality_curve(events, over="bytes").reaches(21) == 900
    with pytest.raises(UsageError, match="ms_ssim"):
        quality_curve(events, "ms_ssim")


def test_without_the_original_there_is_no_quality() -> None:
    event = {"time_s": 1, "bytes": 10, "layer": 0, "psnr": None, "ms_ssim": None}
    with pytest.raises(UsageError, match="psnr"):
        quality_curve([event])
    with pytest.raises(UsageError, match="psnr"):
        quality_curve([])


def test_other_events_and_other_words_are_refused() -> None:
    with pytest.raises(UsageError, match="time_s, bytes"):
        quality_curve([{"when": 3}])
    with pytest.raises(UsageError, match="beauty"):
        quality_curve([], "beauty")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"events": 3}', "\xff"])
def test_files_that_are_no_report_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "report.json"
    file.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError, match="report"):
        read_events(file)
    with pytest.raises(UsageError, match="cannot read"):
        read_events(tmp_path / "none.json")


def test_a_report_is_json(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    event = {"time_s": 1.5, "bytes": 10, "layer": 0, "psnr": 30.0, "ms_ssim": 0.9}
    file.write_text(json.dumps({"events": [event]}))
    assert quality_curve(read_events(file), "ms_ssim").steps == ((1.5, 0.9),)


def test_a_summary_tells_areas_and_arrivals_by_hand() -> None:
    events = [
        {"time_s": 1.0, "bytes": 100, "psnr": 20.0, "ms_ssim": None},
        {"time_s": 3.0, "bytes": 400, "psnr": 26.0, "ms_ssim": None},
    ]
    over_time, over_bytes = summarise(events, until_s=5.0)
    assert (over_time.over, over_time.area, over_time.last) == ("time_s", 20 * 2 + 26 * 2, 26)
    assert over_time.mean == over_time.area / 5
    assert over_time.reached == {20: 1.0, 25: 3.0, 28: None, 30: None}
    assert (over_bytes.over, over_bytes.until, over_bytes.area) == ("bytes", 400, 20 * 300)
    early, _ = summarise(events, until_s=2.0)
    assert (early.area, early.last) == (20, 20)
    assert summarise(events)[0].until == 3.0

import errno
import io
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from progressive.codec import Photo
from progressive.errors import RunError, UsageError
from progressive.output.folder import MOST_THUMBNAILS, OutputFolder
from progressive.output.refinement import Refinement
from progressive.output.timeline import choose_pictures, draw_timeline
from progressive.photos import read_photo


def grey(level: int) -> Photo:
    return np.full((24, 32, 3), level, dtype=np.uint8)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_leaves_its_pictures_a_timeline_and_a_report(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path / "new" / "out")
    output.add_refinement(grey(10), Refinement(0.5, 1100, 0, 20.5, None))
    output.add_refinement(grey(20), Refinement(1.25, 4400, 2, math.inf, 0.5, 30.25))
    output.finish({"bandwidth": "50 kbit/s"}, 6000, title="grey")

    assert names(output.path) == {"refinement_00.png", "refinement_01.png", "final.png", "timeline.png", "report.json"}
    np.testing.assert_array_equal(read_photo(output.path / "refinement_00.png"), grey(10))
    np.testing.assert_array_equal(read_photo(output.path / "final.png"), grey(20))
    assert json.loads((output.path / "report.json").read_text()) == {
        "settings": {"bandwidth": "50 kbit/s"},
        "wire_bytes": 6000,
        "events": [
            {
                "time_s": 0.5,
                "bytes": 1100,
                "layer": 0,
                "psnr": 20.5,
                "ms_ssim": None,
                "expected_psnr": None,
                "coded_psnr": None,
            },
            {
                "time_s": 1.25,
                "bytes": 4400,
                "layer": 2,
                "psnr": None,
                "ms_ssim": 0.5,
                "expected_psnr": 30.25,
                "coded_psnr": None,
            },
        ],
    }


def test_an_earlier_run_is_replaced_and_other_files_stay(tmp_path: Path) -> None:
    earlier = OutputFolder(tmp_path)
    for level in range(3):
        earlier.add_refinement(grey(level), Refinement(level, level, 0))
    earlier.finish({}, 0)
    (tmp_path / "mine.png").touch()
    (tmp_path / "refinement_notes.txt").touch()

    later = OutputFolder(tmp_path)
    assert names(tmp_path) == {"mine.png", "refinement_notes.txt"}
    later.finish({}, 0)
    assert names(tmp_path) == {"mine.png", "refinement_notes.txt", "report.json"}


def test_an_unwritable_folder_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(UsageError, match="cannot write"):
            OutputFolder(path)


def test_a_full_disk_is_a_failed_run_and_keeps_the_pictures_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = OutputFolder(tmp_path)
    output.add_refinement(grey(1), Refinement(0.1, 10, 0))

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match="no space left"):
        output.add_refinement(grey(2), Refinement(0.2, 20, 0))
    assert names(tmp_path) == {"refinement_00.png"}


@pytest.mark.parametrize("psnr", [[20.0, 21.0, 22.0], [None, None, None], [math.inf] * 3, [20.0, 21.0, math.inf]])
@pytest.mark.parametrize("shape", [(1, 1, 3), (300, 20, 3), (20, 300, 3)])
def test_a_timeline_is_drawn_for_any_picture_with_and_without_quality(
    psnr: list[float | None], shape: tuple[int, int, int]
) -> None:
    shown = [(Refinement(0.0, 0, 0, value), np.zeros(shape, dtype=np.uint8)) for value in psnr]
    with Image.open(io.BytesIO(draw_timeline(shown, title="a title"))) as figure:
        assert figure.width == 1600
        assert np.asarray(figure).min() < 100


@pytest.mark.parametrize("total", [1, 2, 6, 7, 40])
def test_timeline_pictures_are_distinct_in_order_and_span_the_run(total: int) -> None:
    rising = [Refinement(i, 1000 * i, 1, 40 - 20 * 0.8**i) for i in range(total)]
    flat = [Refinement(i, 1000, 1) for i in range(total)]
    for refinements in (rising, flat):
        chosen = choose_pictures(refinements, 6)
        assert len(chosen) == min(total, 6)
        assert chosen == sorted(set(chosen))
        assert (chosen[0], chosen[-1]) == (0, total - 1)


def test_timeline_pictures_are_spaced_by_quality() -> None:
    refinements = [Refinement(i, i, 1, float(i)) for i in range(51)]
    assert choose_pictures(refinements, 6) == [0, 10, 20, 30, 40, 50]


def test_on_a_full_disk_old_refinements_make_room_for_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = OutputFolder(tmp_path)
    for number in range(4):
        output.add_refinement(grey(10 * number), Refinement(number, 100 * number, 0, 20.0 + number, None))
    room = sum(path.stat().st_size for path in tmp_path.iterdir())
    write = Path.write_bytes

    def write_if_there_is_room(path: Path, data: bytes) -> int:
        if sum(p.stat().st_size for p in tmp_path.iterdir()) + len(data) > room:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_if_there_is_room)
    with pytest.raises(RunError, match="no space left"):  # the report is longer than all these tiny pictures
        output.finish({}, 400)
    assert names(tmp_path) == {"final.png", "refinement_03.png"}
    assert np.array_equal(read_photo(tmp_path / "final.png"), grey(30))


def test_the_newest_picture_is_never_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else fills the disk: whatever is deleted, nothing more can be written."""
    output = OutputFolder(tmp_path)
    for number in range(3):
        output.add_refinement(grey(10 * number), Refinement(number, 100 * number, 0))

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match="no space left"):
        output.finish({}, 400)
    for name in ("final.png", "refinement_02.png"):
        assert np.array_equal(read_photo(tmp_path / name), grey(20))


def test_a_disk_that_fails_deletes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = OutputFolder(tmp_path)
    for number in range(3):
        output.add_refinement(grey(10 * number), Refinement(number, 100 * number, 0))
    before = names(tmp_path)

    def broken(self: Path, data: bytes) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "write_bytes", broken)
    with pytest.raises(RunError, match="input/output error"):
        output.finish({}, 400)
    assert before <= names(tmp_path)


def test_few_thumbnails_are_kept_of_many_refinements(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    for number in range(3 * MOST_THUMBNAILS):
        output.add_refinement(grey(number), Refinement(number, 100 * number, 0))
    assert len(output._shown) <= MOST_THUMBNAILS
    assert [shown[0].time_s for shown in (output._shown[0], output._shown[-1])] == [0, 3 * MOST_THUMBNAILS - 1]
    output.finish({}, 1)
    assert len(json.loads((tmp_path / "report.json").read_text())["events"]) == 3 * MOST_THUMBNAILS


def test_a_folder_may_wait_for_its_first_picture(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path / "later", at_once=False)
    assert not output.path.exists()
    output.add_refinement(grey(1), Refinement(0, 1, 0))
    assert names(output.path) == {"refinement_00.png"}


def test_a_picture_that_comes_after_the_end_is_not_written(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    output.finish({}, 1)
    assert output.add_refinement(grey(1), Refinement(0, 1, 0)) is None
    assert names(tmp_path) == {"report.json"}


def test_names_in_any_letters_are_drawn_without_a_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = OutputFolder(tmp_path)
    folder.add_refinement(np.zeros((20, 30, 3), np.uint8), Refinement(0.0, 100, 0))
    for title in ("照片", "صورة", "a$^2$ and $\\frac{$", "ab\tc"):
        folder.finish({}, 100, title=title)
    assert "font" not in capfd.readouterr().err


def test_a_folder_removed_while_the_run_goes_on_is_a_failed_run(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path / "out")
    folder.add_refinement(np.zeros((20, 30, 3), np.uint8), Refinement(0.0, 100, 0))
    shutil.rmtree(tmp_path / "out")
    with pytest.raises(RunError):
        folder.add_refinement(np.zeros((20, 30, 3), np.uint8), Refinement(1.0, 200, 0))
    with pytest.raises(RunError):
        folder.finish({}, 200)


def test_a_photo_whose_name_is_not_utf_8_has_a_report(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    folder.finish({"source": "photo_\udcff.png"}, 100)
    assert json.loads((tmp_path / "report.json").read_bytes())["settings"] == {"source": "photo_\udcff.png"}


def test_other_looks_of_a_picture_lie_beside_it_and_go_first_when_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = OutputFolder(tmp_path)
    for number in range(2):
        output.add_refinement(grey(number), Refinement(number, number, 0))
        path = output.add_look(grey(100 + number), "natural")
        assert path == tmp_path / f"refinement_0{number}_natural.png"
        assert np.array_equal(read_photo(path), grey(100 + number))
    refused = iter([True, True, False])
    write = Path.write_bytes

    def full_at_first(self: Path, data: bytes) -> int:
        if next(refused, False):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full_at_first)
    output.finish({}, 1, timeline=False)
    assert names(tmp_path) == {"refinement_00.png", "refinement_01.png", "final.png", "report.json"}
    assert output.add_look(grey(1), "natural") is None
    OutputFolder(tmp_path)
    assert names(tmp_path) == set()

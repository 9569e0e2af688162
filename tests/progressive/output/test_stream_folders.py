"""What a receiver that stays leaves on the disk, and what it removes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from progressive.errors import RunError, UsageError
from progressive.output.refinement import Refinement
from progressive.output.stream_folders import LATEST, MARK, StreamFolder, StreamFolders, safe_name
from progressive.photos import read_photo

BEGAN = datetime(2030, 1, 31, 18, 0, tzinfo=UTC)


def picture(shade: int) -> np.ndarray:
    return np.full((8, 8, 3), shade, np.uint8)


def folders_at(path: Path, keep: int | None = None, *, began: datetime = BEGAN, step_s: int = 1) -> StreamFolders:
    times: Iterator[datetime] = (began + timedelta(seconds=step_s * i) for i in count())
    return StreamFolders(path, keep=keep, now=lambda: next(times))


def show(folder: StreamFolder, shade: int = 0) -> Path:
    """Shows a picture; returns the path of the folder."""
    shown = folder.add_refinement(picture(shade), Refinement(0.1, 100, 0))
    assert shown is not None
    return shown.parent


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir() if each.is_dir())


def test_a_folder_is_named_by_time_and_photo_and_none_is_used_twice(tmp_path: Path) -> None:
    folders = folders_at(tmp_path, step_s=0)
    for name in ("cliff.jpg", "cliff.png", "", ""):
        folder = folders.new()
        folder.called(name)
        show(folder)
    assert names(tmp_path) == [
        "20300131T180000Z",
        "20300131T180000Z_2",
        "20300131T180000Z_cliff",
        "20300131T180000Z_cliff_2",
    ]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("DSC_0042.JPG", "DSC_0042"),
        ("../../etc/passwd", "etc_passwd"),
        ("..", ""),
        ("/", ""),
        ("a\0b\nc", "a_b_c"),
        ("été à Nîmes.jpeg", "ete_a_Nimes"),
        ("日本.png", ""),
        ("-rf", "rf"),
        ("x" * 300, "x" * 60),
    ],
)
def test_no_name_leads_anywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_the_latest_picture_is_that_of_the_newest_stream_that_shows_one(tmp_path: Path) -> None:
    folders = folders_at(tmp_path)
    first, second = folders.new(), folders.new()
    show(first, 10)
    show(second, 20)
    show(first, 30)
    assert (read_photo(tmp_path / LATEST) == 20).all()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [LATEST]


def test_a_stream_without_a_picture_leaves_no_folder(tmp_path: Path) -> None:
    folders_at(tmp_path).new().finish({}, 0)
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_are_kept_also_of_an_earlier_run(tmp_path: Path) -> None:
    for run in range(2):
        folders = folders_at(tmp_path, keep=2, began=BEGAN + timedelta(minutes=run))
        for _ in range(3):
            folder = folders.new()
            show(folder)
            folder.finish({}, 0)
            folder.close()
    assert names(tmp_path) == ["20300131T180101Z", "20300131T180102Z"]


def test_nothing_is_removed_that_was_not_made_here(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / MARK).touch()
    (elsewhere / "final.png").touch()
    output = tmp_path / "output"
    foreign = output / "20200101T000000Z"  # our kind of name, without our mark
    foreign.mkdir(parents=True)
    (foreign / "final.png").touch()
    (output / "20200102T000000Z").symlink_to(elsewhere)
    (output / "holiday.jpg").touch()
    folders = folders_at(output, keep=1)
    first = folders.new()
    kept = show(first) / "notes.txt"
    kept.touch()
    first.close()
    for _ in range(2):
        folder = folders.new()
        show(folder)
        folder.close()
    assert [path.name for path in kept.parent.iterdir()] == ["notes.txt"]
    assert (foreign / "final.png").exists()
    assert (elsewhere / "final.png").exists()
    assert (output / "holiday.jpg").exists()
    assert "20300131T180001Z" not in names(output)


def test_a_folder_that_is_written_into_is_not_removed(tmp_path: Path) -> None:
    folders = folders_at(tmp_path, keep=1)
    slow, quick = folders.new(), folders.new()
    place = show(slow)
    show(quick)
    assert place.exists()
    show(slow)
    slow.close()
    show(folders.new())
    assert not place.exists()


def test_a_folder_that_cannot_be_made_is_a_failure_each_time_and_nothing_lies_beside(tmp_path: Path) -> None:
    output = tmp_path / "output"
    folder = folders_at(output).new()
    output.rmdir()
    output.touch()
    for _ in range(2):
        with pytest.raises(RunError, match="cannot write into the folder"):
            show(folder)
    output.unlink()
    output.mkdir()
    assert show(folder).parent == output


def test_keeping_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="use 1 or more"):
        StreamFolders(tmp_path, keep=0)


def test_a_name_that_comes_after_the_first_picture_is_the_folders_in_the_end(tmp_path: Path) -> None:
    folders = folders_at(tmp_path, keep=1)
    folder = folders.new()
    before = show(folder)
    folder.called("cliff.jpg")
    folder.finish({}, 0)
    folder.close()
    assert names(tmp_path) == ["20300131T180000Z_cliff"]
    assert folder.path == tmp_path / "20300131T180000Z_cliff"
    assert {MARK, "final.png", "report.json"} <= {path.name for path in folder.path.iterdir()}
    assert not before.exists()
    show(folders.new())
    assert names(tmp_path) == ["20300131T180001Z"], "it is still known to be ours"

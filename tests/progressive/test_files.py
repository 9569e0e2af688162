import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from progressive.errors import RunError, UsageError
from progressive.files import check_writable, read_bytes, read_toml, write_atomically, write_result


def test_content_is_replaced_and_nothing_else_left(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def write_half(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(RunError, match="no space left"):
        write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["missing/file", ".", "file/below"])
def test_an_impossible_place_is_a_usage_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    for check in (check_writable, lambda path: write_atomically(path, b"")):
        with pytest.raises(UsageError, match="^cannot write"):
            check(tmp_path / place)


def test_a_device_is_not_replaced_by_a_file() -> None:
    with pytest.raises(UsageError, match="not a regular file"):
        write_atomically(Path(os.devnull), b"")


def test_reading_stops_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bytes(path, limit=5) == b"12345"
    with pytest.raises(UsageError, match="larger than 4 bytes"):
        read_bytes(path, limit=4)
    with pytest.raises(UsageError, match="no such file"):
        read_bytes(tmp_path / "missing", limit=1)


def test_two_threads_write_into_one_folder(tmp_path: Path) -> None:
    contents = {tmp_path / f"{i}": bytes([i]) * 100_000 for i in range(40)}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write_atomically, contents.keys(), contents.values()))
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == contents


def test_a_place_that_went_away_while_work_was_done_is_a_failed_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it was there when the run began"):
        write_result(tmp_path / "gone" / "a.png", b"picture")


@pytest.mark.parametrize("text", ["a = " + "[" * 100_000, "a = 1\nb", "\udcff"])
def test_a_file_that_is_no_toml_is_refused_in_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match="is not TOML") as refusal:
        read_toml(path, limit=1 << 20)
    assert "\n" not in str(refusal.value)

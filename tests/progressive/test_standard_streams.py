"""`-` in place of a file: photos and files through pipes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import progressive.__main__
import sender.__main__
from progressive.errors import UsageError
from progressive.files import as_file, check_writable, read_bytes
from progressive.photos import png_bytes, read_photo, sample_photo

pytestmark = pytest.mark.usefixtures("thumbnails")

PHOTO = np.ascontiguousarray(sample_photo()[::4, ::4])


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch):
    def feed(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    return feed


def call(monkeypatch: pytest.MonkeyPatch, main, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return int(exit_.value.code or 0)


def test_a_photo_goes_through_pipes_to_a_file_and_back(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], feed
) -> None:
    feed(png_bytes(PHOTO))
    assert call(monkeypatch, progressive.__main__.main, "encode", "-", "-", "--codec", "thumbnails") == 0
    file, said = capsysbinary.readouterr()
    assert file.startswith(b"\x8fPRG")
    assert said.startswith(b"standard output: 128x128, ")
    feed(file)
    assert call(monkeypatch, progressive.__main__.main, "decode", "-", "-") == 0
    picture, said = capsysbinary.readouterr()
    assert np.asarray(Image.open(io.BytesIO(picture))).shape == PHOTO.shape
    assert said.startswith(b"standard output: 128x128, ")
    feed(file)
    assert call(monkeypatch, progressive.__main__.main, "info", "-") == 0
    assert b"128x128" in capsysbinary.readouterr().out


def test_the_sender_takes_a_photo_from_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, feed) -> None:
    feed(png_bytes(PHOTO))
    run = ("-", "--fast", "--codec", "thumbnails", "--channel", "none", "--output", tmp_path / "out")
    assert call(monkeypatch, sender.__main__.main, *run) == 0
    assert read_photo(tmp_path / "out" / "final.png").shape == PHOTO.shape
    assert json.loads((tmp_path / "out" / "report.json").read_text())["settings"]["photo"] == "photo"


@pytest.mark.parametrize(
    "to",
    [
        ("--fast",),
        ("--to", "udp://127.0.0.1:9"),
        ("--to", "webrtc://127.0.0.1:0"),
        ("--to", "mqtt://:0"),
        ("--to", "mqtt://:0", "--serve-for", "1s"),
    ],
)
def test_a_sender_says_of_a_photo_that_is_none_before_anything_else(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    feed,
    capsysbinary: pytest.CaptureFixture[bytes],
    to: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    feed(b"no photo")
    assert call(monkeypatch, sender.__main__.main, "-", "--codec", "thumbnails", *to) == 2
    out, err = capsysbinary.readouterr()
    assert (out, err.count(b"\n")) == (b"", 1)
    assert err.startswith(b"error: cannot read standard input: not a photo")


@pytest.mark.parametrize(
    ("arguments", "data", "status", "says"),
    [
        (("encode", "-", "-"), b"no photo", 2, b"cannot read standard input: not a photo"),
        (("encode", "-", "-"), b"", 2, b"cannot read standard input: not a photo"),
        (("decode", "-", "-"), b"no file", 1, b"standard input: not a .prog file"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
    feed,
    arguments: tuple[str, ...],
    data: bytes,
    status: int,
    says: bytes,
) -> None:
    feed(data)
    assert call(monkeypatch, progressive.__main__.main, *arguments) == status
    out, err = capsysbinary.readouterr()
    assert out == b""
    assert says in err
    assert err.count(b"\n") == 1


def test_more_than_the_limit_is_not_kept(feed) -> None:
    feed(bytes(100))
    with pytest.raises(UsageError, match="standard input: it is larger than 99 bytes"):
        read_bytes(Path("-"), limit=99)


def test_a_terminal_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    with pytest.raises(UsageError, match="nothing comes on standard input"), as_file("-", limit=9):
        pass
    with pytest.raises(UsageError, match="standard output is a terminal"):
        check_writable(Path("-"))

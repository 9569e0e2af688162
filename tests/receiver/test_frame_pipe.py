"""Frames that another program reads."""

from __future__ import annotations

import asyncio
import io
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from observations import STATUS
from PIL import Image

import progressive
from progressive.codec import Photo
from progressive.errors import RunError
from progressive.output.refinement import Refinement
from progressive.photos import sample_photo
from progressive.shell.display import Display, QuietDisplay
from receiver.__main__ import main
from receiver.frame_pipe import with_frames
from receiver.reception import PictureShown
from receiver.run import ReceiverOptions, receive_photos
from receiver.settings import ReceiverSettings

PHOTO = np.ascontiguousarray(sample_photo()[::4, ::4])


class Address(Display):
    """A display of plain lines that tells where a receiver listens."""

    def __init__(self) -> None:
        self.url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def note(self, text: str) -> None:
        super().note(text)
        if text.startswith("listening at "):
            self.url.set_result(text.removeprefix("listening at "))


def shown(picture: Photo) -> PictureShown:
    return PictureShown("photo 1", Path("0.png"), Refinement(0.1, 100, 0), STATUS, 0.1, picture=picture)


def written(file: Path, pictures: Sequence[Photo], frame_format: str = "rawvideo", size: str | None = None) -> bytes:
    """What stands in the file after these were shown, each once the one before was written."""
    with with_frames(Display(), str(file), frame_format, size) as display, display:
        for picture in pictures:
            before = file.stat().st_size if file.exists() else 0
            display.observe(shown(picture))
            while not file.exists() or file.stat().st_size == before:
                threading.Event().wait(0.002)
    return file.read_bytes()


@pytest.mark.usefixtures("thumbnails")
async def test_on_standard_output_there_are_frames_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))  # as in a program, not pytest's own file
    with with_frames(address := Address(), "-", "rawvideo", None) as display:
        options = ReceiverOptions("udp://127.0.0.1:0", ReceiverSettings(), output=None, device="cpu")
        with display:
            receiving = asyncio.create_task(receive_photos(options, display))
            await progressive.send(PHOTO, await address.url, codec="thumbnails", bandwidth="500kbps")
            await receiving
    out, said = capfdbinary.readouterr()
    frames = np.frombuffer(out, np.uint8).reshape(-1, *PHOTO.shape)
    errors = np.abs(frames.astype(int) - PHOTO).mean((1, 2, 3))
    assert len(frames) >= 1
    assert errors[-1] == errors.min() < 35
    assert b"listening at" in said
    assert b"photo 1: " in said


def test_frames_of_raw_video_have_one_size(tmp_path: Path) -> None:
    grey, wide = np.full((20, 30, 3), 90, np.uint8), np.full((10, 40, 3), 200, np.uint8)
    frames = np.frombuffer(written(tmp_path / "frames", [grey, wide]), np.uint8).reshape(2, 20, 30, 3)
    assert (frames[0] == 90).all()
    assert (frames[1, 10] == 200).all()
    assert (frames[1, 0] == 0).all(), "fitted in, black around"
    asked = written(tmp_path / "asked", [wide], size="20x20")
    assert len(asked) == 20 * 20 * 3


def test_frames_of_png_are_files_one_after_the_other(tmp_path: Path) -> None:
    first, second = np.full((20, 30, 3), 90, np.uint8), np.full((10, 40, 3), 200, np.uint8)
    data = written(tmp_path / "frames", [first, second], "png")
    start = data.index(b"\x89PNG", 1)
    pictures = [np.asarray(Image.open(io.BytesIO(part))) for part in (data[:start], data[start:])]
    assert (pictures[0] == first).all()
    assert (pictures[1] == second).all()


def test_who_reads_slowly_gets_the_newest_and_the_last(tmp_path: Path) -> None:
    fifo = tmp_path / "frames"
    os.mkfifo(fifo)
    received = bytearray()

    def read() -> None:
        with fifo.open("rb") as stream:
            while data := stream.read(1 << 16):
                received.extend(data)

    with with_frames(Display(), str(fifo), "rawvideo", None) as display:
        with display:
            for shade in range(100):  # nobody reads yet
                display.observe(shown(np.full((64, 64, 3), shade, np.uint8)))
            reader = threading.Thread(target=read, daemon=True)
            reader.start()
        reader.join(10)
    frames = np.frombuffer(bytes(received), np.uint8).reshape(-1, 64, 64, 3)
    assert 1 <= len(frames) <= 3
    assert (frames[-1] == 99).all()


def test_of_a_reader_that_goes_away_a_run_that_stays_says_so_once_and_goes_on(tmp_path: Path) -> None:
    fifo, said = tmp_path / "frames", list[str]()

    class Notes(QuietDisplay):
        def note(self, text: str) -> None:
            said.append(text)

    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.open("rb").close(), daemon=True).start()
    with with_frames(Notes(), str(fifo), "rawvideo", None, stays=True) as display, display:
        for _ in range(2000):
            display.observe(shown(PHOTO))
            if not said:
                threading.Event().wait(0.005)
    assert said == [f"nobody reads the frames at {fifo} any more: going on without frames"]


def test_a_reader_that_goes_away_ends_the_run(tmp_path: Path) -> None:
    fifo = tmp_path / "frames"
    os.mkfifo(fifo)
    threading.Thread(target=lambda: fifo.open("rb").close(), daemon=True).start()
    gone = pytest.raises(RunError, match=f"nobody reads the frames at {fifo} any more")
    with with_frames(Display(), str(fifo), "rawvideo", None) as display, display, gone:
        show_again_and_again(display)


def show_again_and_again(display: Display) -> None:
    for _ in range(1000):
        display.observe(shown(PHOTO))
        threading.Event().wait(0.005)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--frames-to", "-", "--frame-format", "gif"), "unknown format of frames 'gif': use rawvideo or png"),
        (("--frames-to", "-", "--frame-size", "big"), "write WIDTHxHEIGHT, such as 768x512"),
        (("--frames-to", "-", "--frame-size", "0x4"), "write WIDTHxHEIGHT, such as 768x512"),
        (("--frames-to", "-", "--frame-size", "60000x60000"), "at most 64 megapixels"),
        (("--frame-size", "768x512"), "give --frames-to too"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(call: CommandLine, arguments: tuple[str, ...], says: str) -> None:
    outcome = call(main, "--from", "udp://127.0.0.1:0", *arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err

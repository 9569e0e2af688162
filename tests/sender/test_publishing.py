"""The sender that serves over MQTT, and receivers that come at any time, as the command lines run them."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from mqtt_brokers import free_port

from progressive.codec import Photo
from progressive.errors import ProgressiveError, UsageError
from progressive.photos import read_photo, sample_photo, write_png
from progressive.registry import DEFAULT_CODEC, load_codec
from progressive.shell.display import QuietDisplay
from progressive.transport.access import Access
from progressive.transport.keys import write_new_key
from receiver.reception import PictureShown
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings
from sender.addresses import run_for
from sender.events import PacketSent
from sender.handed import HandedFrames
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.options import SenderOptions
from sender.prepare import Source
from sender.publishing import publish
from sender.settings import SenderSettings

pytestmark = pytest.mark.usefixtures("thumbnails")


class Stopped(ProgressiveError):  # noqa: N818, what happened rather than a mistake
    """The run was asked to stop."""


class Listener(QuietDisplay):
    """Tells when something is said or observed; can stop the run, as Ctrl-C would."""

    def __init__(self) -> None:
        self.stopped = False
        self.lines: list[str] = []
        self.observed: list[object] = []
        self.changed = threading.Condition()

    def note(self, text: str) -> None:
        with self.changed:
            self.lines.append(text)
            self.changed.notify_all()

    summary = note

    def progress(self, _lines: object) -> None:
        if self.stopped:
            self.stopped = False
            raise Stopped

    def observe(self, event: object) -> None:
        with self.changed:
            self.observed.append(event)
            self.changed.notify_all()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=30), self.lines


class InThread:
    """Either program in a thread of this process."""

    def __init__(self, run: Callable[..., None], options: object) -> None:
        self.display = Listener()
        self._error: ProgressiveError | None = None
        self._thread = threading.Thread(target=self._run, args=(run, options), daemon=True)
        self._thread.start()

    def _run(self, run: Callable[..., None], options: object) -> None:
        try:
            run(options, self.display)
        except ProgressiveError as error:
            self._error = error

    def stop(self) -> None:
        self.display.stopped = True
        assert isinstance(self.result(), Stopped)

    def result(self) -> ProgressiveError | None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        return self._error


@pytest.fixture(scope="module", autouse=True)
def loaded() -> None:
    """Receivers load the default codec when they start, which takes seconds the first time."""
    load_codec(DEFAULT_CODEC)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2):
        write_png(folder / f"{number}.png", np.ascontiguousarray(sample_photo()[::4, :: 2 * number]))
    return folder


def sender(
    source: Path | HandedFrames,
    url: str,
    *,
    serve_for_s: float | None = None,
    key: Path | None = None,
    deadline_s: float = 3.0,
) -> InThread:
    settings = SenderSettings(400e3, packet_size=300, deadline_s=deadline_s, sealed=key is not None)
    given = source if isinstance(source, HandedFrames) else str(source)
    options = SenderOptions(
        given, "thumbnails", settings, to=(url,), access=Access(key_file=key), serve_for_s=serve_for_s
    )
    return InThread(publish, options)


def receiver(url: str, output: Path, receiver_id: int, *, key: Path | None = None, timeout_s: float = 20) -> InThread:
    settings = ReceiverSettings(receiver_id=receiver_id)
    options = ReceiverOptions(url, settings, output, device="cpu", timeout_s=timeout_s, access=Access(key_file=key))
    return InThread(receive, options)


def test_whoever_comes_gets_the_photo_and_goes(photos: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    write_new_key(key)
    port = free_port()
    serving = sender(photos / "1.png", f"mqtt://:{port}/t", key=key)
    serving.display.wait_for(lambda: any("publishing at" in line for line in serving.display.lines))
    early = receiver(f"mqtt://127.0.0.1:{port}/t", tmp_path / "early", 1, key=key)
    elsewhere = receiver(f"mqtt://127.0.0.1:{port}/other", tmp_path / "elsewhere", 3, key=key, timeout_s=1)
    assert early.result() is None
    serving.display.wait_for(lambda: any("repeating it" in line for line in serving.display.lines))
    late = receiver(f"mqtt://127.0.0.1:{port}/t", tmp_path / "late", 2, key=key)
    assert late.result() is None
    for output in ("early", "late"):
        assert read_photo(tmp_path / output / "final.png").shape == (128, 256, 3)
    assert "no sender came in 1 s" in str(elsewhere.result())
    serving.stop()
    assert serving.display.lines[-1].startswith("heard of 2 receivers, 2 with the last photo whole")
    assert [event.to for event in serving.display.observed if isinstance(event, ReceiverJoined)] == [
        "receiver 00000001",
        "receiver 00000002",
    ]
    assert sum(isinstance(event, ReceiverLeft) for event in serving.display.observed) == 2


def test_photos_go_one_after_the_other_and_who_still_listens_is_told_of_the_end(photos: Path, tmp_path: Path) -> None:
    port = free_port()
    serving = sender(photos, f"mqtt://:{port}", serve_for_s=3.0)
    serving.display.wait_for(lambda: any("publishing at" in line for line in serving.display.lines))
    listening = receiver(f"mqtt://127.0.0.1:{port}", tmp_path / "out", 1)
    assert serving.result() is None
    assert listening.result() is None
    assert read_photo(tmp_path / "out" / "final.png").shape == (128, 256, 3)
    assert read_photo(tmp_path / "out" / "photo_02" / "final.png").shape == (128, 128, 3)


def test_the_first_photo_waits_for_no_other(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is only tried once the first is on its way, and then proves to be none."""
    (photos / "2.png").write_bytes(b"no photo")
    begun = threading.Event()
    read = Source.read

    def read_late(source: Source) -> Photo:
        assert source.name == "1" or begun.wait(timeout=20)
        return read(source)

    monkeypatch.setattr(Source, "read", read_late)
    serving = sender(photos, "mqtt://:0/t", deadline_s=1.0)
    serving.display.wait_for(lambda: any(isinstance(event, PacketSent) for event in serving.display.observed))
    begun.set()
    serving.display.wait_for(lambda: any("repeating it" in line for line in serving.display.lines))
    serving.stop()
    assert any(line.startswith("error: cannot read") for line in serving.display.lines)


def test_of_a_sequence_each_frame_is_there_for_who_comes_late(photos: Path, tmp_path: Path) -> None:
    may_go_on = threading.Event()

    def frames() -> Iterator[Photo]:
        yield read_photo(photos / "1.png")
        assert may_go_on.wait(30)
        yield read_photo(photos / "2.png")

    port = free_port()
    serving = sender(HandedFrames(frames(), newest=False), f"mqtt://:{port}")
    serving.display.wait_for(lambda: any("publishing at" in line for line in serving.display.lines))
    early = receiver(f"mqtt://127.0.0.1:{port}", tmp_path / "early", 1)
    serving.display.wait_for(lambda: any(line.startswith("00001: mqtt") for line in serving.display.lines))
    between = receiver(f"mqtt://127.0.0.1:{port}", tmp_path / "between", 2)
    between.display.wait_for(lambda: any(isinstance(event, PictureShown) for event in between.display.observed))
    may_go_on.set()
    assert early.result() is None
    assert between.result() is None
    serving.display.wait_for(lambda: any("repeating it" in line for line in serving.display.lines))
    late = receiver(f"mqtt://127.0.0.1:{port}", tmp_path / "late", 3)
    assert late.result() is None
    serving.stop()
    for name in ("early", "between"):  # who came between two frames had the base of the first, which the broker kept
        assert read_photo(tmp_path / name / "final.png").shape == (128, 256, 3)
        assert read_photo(tmp_path / name / "photo_02" / "final.png").shape == (128, 128, 3)
    assert read_photo(tmp_path / "late" / "final.png").shape == (128, 128, 3)
    assert "2 frames sent, 0 dropped for newer ones or as late, 0 unchanged" in "\n".join(serving.display.lines)
    there = [type(event) for event in serving.display.observed if isinstance(event, ReceiverJoined | ReceiverLeft)]
    assert (there.count(ReceiverJoined), there.count(ReceiverLeft)) == (3, 3)


def test_the_time_to_serve_begins_when_the_first_photo_is_encoded(photos: Path) -> None:
    serving = sender(photos, f"mqtt://:{free_port()}", serve_for_s=0.001)
    assert serving.result() is None
    assert any(line.startswith("1: 256x128, ") for line in serving.display.lines)


def test_a_receiver_without_the_key_is_one_line_on_both_sides(photos: Path, tmp_path: Path) -> None:
    key = tmp_path / "key"
    write_new_key(key)
    port = free_port()
    serving = sender(photos / "1.png", f"mqtt://:{port}/t", serve_for_s=2.5, key=key)
    serving.display.wait_for(lambda: any("publishing at" in line for line in serving.display.lines))
    keyless = receiver(f"mqtt://127.0.0.1:{port}/t", tmp_path / "out", 1, timeout_s=2)
    assert "are sealed: start this end with the --key-file of the other" in str(keyless.result())
    assert serving.result() is None
    told = [line for line in serving.display.lines if line.startswith("somebody answers, but")]
    assert told == [
        "somebody answers, but the packets that come are not sealed, and this end has a key: "
        "start the other with the same --key-file"
    ]


@pytest.mark.parametrize(
    ("url", "changes", "says"),
    [
        ("mqtt://me:secret@h/t", {}, "a password in an address"),
        ("mqtt://h/t", {"settings": SenderSettings(1e5, duty_cycle=0.01), "every_s": 1.0}, "a radio of ours"),
        ("mqtt://h/t", {"settings": SenderSettings(1e5, protection="pet")}, "with pet there are none"),
        ("mqtt://h/t", {"access": Access(key_file=Path("none"))}, "cannot read none"),
        ("mqtt://h/t", {"access": Access(token_file=Path("none"))}, "--token-file has no meaning for mqtt://"),
        ("mqtt://nowhere.invalid/t", {}, "'nowhere.invalid' is not a known host"),
    ],
)
async def test_a_wrong_call_is_refused(photos: Path, url: str, changes: dict[str, object], says: str) -> None:
    fields = {"settings": SenderSettings(1e5), "to": (url,)} | changes
    options = SenderOptions(str(photos), "thumbnails", **fields)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=says):
        await run_for(options)(options, QuietDisplay())

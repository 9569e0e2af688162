"""Whole runs over WebRTC on this machine: a sender that serves, receivers that join, a browser."""

import asyncio
import json
import re
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aioice.ice import StunProtocol
from chromium import Page, needs_chromium, open_page
from conftest import CommandLine

from progressive.errors import ProgressiveError, RunError, UsageError
from progressive.photos import read_photo, sample_photo, write_png
from progressive.shell.display import Display
from progressive.transport.webrtc import server
from progressive.transport.webrtc.peer import PeerTransport
from receiver.run import ReceiverOptions, receive
from receiver.settings import ReceiverSettings
from sender.__main__ import main as sender_main
from sender.joins import ReceiverJoined, ReceiverLeft
from sender.options import SenderOptions
from sender.serving import serve, serve_photos
from sender.session import SenderSession
from sender.settings import SenderSettings

pytestmark = pytest.mark.usefixtures("thumbnails")

STATE, BUTTON = "document.querySelector('#status').textContent", "document.querySelector('#toggle').textContent"
FIGURES = (
    "Object.fromEntries([...document.querySelectorAll('[data-figure]')]"
    ".map((entry) => [entry.dataset.figure, entry.children[1].textContent]))"
)
CLICK = "document.querySelector('#toggle').click()"


class Recorder(Display):
    """Keeps what is shown, and tells where a sender serves."""

    def __init__(self) -> None:
        self.notes = list[str]()
        self.events = list[Mapping[str, Any]]()
        self.observed = list[object]()
        self.address: Future[str] = Future()
        self.first_report, self.somebody_left = threading.Event(), threading.Event()

    def note(self, text: str) -> None:
        self.notes.append(text)
        if found := re.match(r"serving at (\S+),", text):
            self.address.set_result(found[1])

    def event(self, record: Mapping[str, Any], text: str) -> None:
        self.events.append(record)
        self.first_report.set()

    def observe(self, event: object) -> None:
        if isinstance(event, ReceiverJoined | ReceiverLeft):
            self.observed.append(event)
        if isinstance(event, ReceiverLeft):
            self.somebody_left.set()


class Run:
    """A run in a thread of this process; its error is raised by `result`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], None]) -> None:
        try:
            work()
        except ProgressiveError as error:
            self._error = error

    def result(self) -> None:
        self._thread.join(timeout=30)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error


class ServingRun:
    """A sender that serves in a thread of this process until it is stopped, as Ctrl-C would, or its time is over."""

    def __init__(self, options: SenderOptions, display: Recorder) -> None:
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(serve_photos(options, display))
        self._run = Run(self._serve)

    def _serve(self) -> None:
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._task)

    def call(self, work: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(work)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self.result()

    def result(self) -> None:
        try:
            self._run.result()
        finally:
            self._loop.close()


ANY_PORT = "webrtc://127.0.0.1:0"


def options(
    source: Path,
    serve_for_s: float | None = None,
    *,
    to: str = ANY_PORT,
    every_s: float | None = None,
    **settings: Any,
) -> SenderOptions:
    chosen = SenderSettings(**{"bandwidth_bps": 2e6} | settings)
    return SenderOptions(str(source), "thumbnails", chosen, to=(to,), serve_for_s=serve_for_s, every_s=every_s)


def serving(source: Path, **settings: Any) -> tuple[str, Recorder, ServingRun]:
    display = Recorder()
    run = ServingRun(options(source, **settings), display)
    return display.address.result(timeout=30), display, run


def receiving(url: str, output: Path) -> Run:
    receiver = ReceiverOptions(url, ReceiverSettings(), output, device="cpu", timeout_s=20.0)
    return Run(lambda: receive(receiver, Recorder()))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in (1, 2):
        write_png(folder / f"{number}.png", np.ascontiguousarray(sample_photo()[::4, :: 2 * number]))
    return folder


@pytest.fixture
def large_photo(tmp_path: Path) -> Path:
    """Takes seconds at a few ten kbit/s."""
    path = tmp_path / "large.png"
    write_png(path, sample_photo())
    return path


def test_every_receiver_gets_every_photo_whenever_it_joins(photos: Path, tmp_path: Path) -> None:
    url, display, run = serving(photos)
    first = receiving(url, tmp_path / "first")
    assert display.first_report.wait(30)
    late = receiving(url, tmp_path / "late")
    first.result()
    late.result()
    run.stop()
    for name in ("first", "late"):
        assert read_photo(tmp_path / name / "final.png").shape == (128, 256, 3)
        assert read_photo(tmp_path / name / "photo_02" / "final.png").shape == (128, 128, 3)
        assert json.loads((tmp_path / name / "report.json").read_text())["events"]
    assert {(event["photo"], event["to"]) for event in display.events} == {
        (photo, f"receiver {number} (127.0.0.1)") for photo in ("1", "2") for number in (1, 2)
    }
    assert [event for event in display.observed if isinstance(event, ReceiverLeft)] == [
        ReceiverLeft(f"receiver {number} (127.0.0.1)", "served") for number in (1, 2)
    ]
    assert display.notes[-1] == "served 2 receivers"


def test_of_a_sequence_who_is_there_gets_frame_after_frame_and_who_is_late_the_last(
    photos: Path, tmp_path: Path
) -> None:
    url, display, run = serving(photos, every_s=0.5)
    receiving(url, tmp_path / "early").result()
    receiving(url, tmp_path / "late").result()
    run.stop()
    assert read_photo(tmp_path / "early" / "final.png").shape == (128, 256, 3)
    assert read_photo(tmp_path / "early" / "photo_02" / "final.png").shape == (128, 128, 3)
    assert read_photo(tmp_path / "late" / "final.png").shape == (128, 128, 3)
    assert [event.reason for event in display.observed if isinstance(event, ReceiverLeft)] == ["served", "served"]
    assert display.notes[-2].startswith("2 frames sent, 0 dropped for newer ones or as late, 0 unchanged")


def test_a_sender_that_stops_tells_its_receivers_who_keep_what_came(large_photo: Path, tmp_path: Path) -> None:
    url, display, run = serving(large_photo, bandwidth_bps=40e3, deadline_s=60.0)
    receiver = receiving(url, tmp_path / "out")
    assert display.first_report.wait(30)
    run.stop()
    receiver.result()
    assert read_photo(tmp_path / "out" / "final.png").shape == (512, 512, 3)
    assert "interrupted" in display.notes[-2]
    assert display.observed[-1] == ReceiverLeft("receiver 1 (127.0.0.1)", "stopped")


def test_a_sender_serves_as_long_as_it_was_asked_to(photos: Path) -> None:
    _, display, run = serving(photos / "1.png", serve_for_s=0.05)
    run.result()
    assert display.notes[-1] == "served 0 receivers"


def test_a_photo_that_cannot_be_read_is_an_error_and_the_others_are_served(photos: Path, tmp_path: Path) -> None:
    (photos / "0.png").write_bytes(b"not a photo")
    url, _, run = serving(photos)
    receiving(url, tmp_path / "out").result()
    run.stop()
    assert (tmp_path / "out" / "photo_02" / "final.png").exists()
    _, display, run = serving(photos, serve_for_s=0.05)
    with pytest.raises(RunError, match="1 of 3 photos were not sent: 0"):
        run.result()
    assert any(note.startswith("error: cannot read") for note in display.notes)
    with pytest.raises(UsageError, match="cannot read"):
        serve(options(photos / "0.png"), Recorder())
    for number in (1, 2):
        (photos / f"{number}.png").write_bytes(b"not a photo either")
    with pytest.raises(RunError, match="3 of 3 photos were not sent: 0, 1, 2"):
        serve(options(photos), Recorder())


def test_what_goes_wrong_with_one_receiver_is_said_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch, photos: Path, tmp_path: Path
) -> None:
    make, made = SenderSession.__init__, list[SenderSession]()

    def fail_first(self: SenderSession, *arguments: Any, **keywords: Any) -> None:
        made.append(self)
        if len(made) == 1:
            raise UsageError("the stream does not fit")
        make(self, *arguments, **keywords)

    monkeypatch.setattr(SenderSession, "__init__", fail_first)
    url, display, run = serving(photos / "1.png")
    receiving(url, tmp_path / "out").result()
    run.stop()
    assert "error: receiver 1 (127.0.0.1): the stream does not fit" in display.notes
    assert (tmp_path / "out" / "final.png").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--to", "webrtc://127.0.0.1"], "write webrtc://HOST:PORT"),
        (["--to", "webrtc://127.0.0.1:0", "--to", "webrtc://127.0.0.1:0"], "serves at one address: give --to once"),
        (["--to", "webrtc://127.0.0.1:0", "--to", "udp://127.0.0.1:9"], "addresses of one kind at a time"),
        (["--to", "webrtc://127.0.0.1:0", "--every", "1s"], "name a folder, or leave --every out"),
        (["--to", "webrtc://127.0.0.1:0", "--serve", "95%"], "a stream of its own: leave --serve out"),
        (["--to", "webrtc://127.0.0.1:0", "--packet-size", "1200B"], "too large for webrtc://: use 1100B or fewer"),
        (["--to", "webrtc://127.0.0.1:0", "--inner-parity", "64"], "--inner-parity has no meaning for webrtc://"),
        (["--to", "webrtc://127.0.0.1:0", "--key-file", "key"], "--key-file has no meaning for webrtc://"),
        (["--to", "webrtc://127.0.0.1:0", "--token-file", "missing"], "cannot read tokens from missing"),
        (["--to", "webrtc://127.0.0.1:0", "--ice-server", "example.org"], "is not an ICE server"),
        (["--to", "webrtc://192.0.2.1:80"], "cannot be served at"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(sender_main, "--codec", "thumbnails", *arguments)
    assert outcome.status == 2
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


@needs_chromium
async def test_a_browser_shows_the_packets_of_photos_that_it_cannot_decode_and_says_so(photos: Path) -> None:
    url, display, run = await asyncio.to_thread(serving, photos / "1.png", bandwidth_bps=200e3)
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        await page.wait_for(f"{STATE} === 'Complete'")
        shown = await page.evaluate(FIGURES)
        counted = await page.evaluate("document.querySelector('#packets').ariaLabel")
        notice = await page.evaluate("document.querySelector('#notice').textContent")
        assert page.errors == []
    await asyncio.to_thread(run.stop)
    last = display.events[-1]
    assert shown["received"] == str(last["packets"])
    assert shown["lost"] == "0"
    assert shown["bytes"] == f"{last['bytes'] / 1000:.3g} kB"
    assert counted == f"{last['packets']} packets received, 0 of them late, 0 lost, 0 recovered"
    assert notice.startswith("Photos coded by thumbnails are not shown in a browser")
    assert display.notes[-2].endswith("complete")


@needs_chromium
async def test_a_browser_that_leaves_is_no_longer_served(large_photo: Path) -> None:
    url, display, run = await asyncio.to_thread(serving, large_photo, bandwidth_bps=30e3, deadline_s=60.0)
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        await page.wait_for(f"{FIGURES}.received > 2")
        await page.call("Page.navigate", url="about:blank")
        assert await asyncio.to_thread(display.somebody_left.wait, 10)
    await asyncio.to_thread(run.stop)
    assert display.observed[-1] == ReceiverLeft("receiver 1 (127.0.0.1)", "left")
    assert display.notes[-2].endswith("interrupted")
    assert display.notes[-1] == "served 1 receiver"


async def statuses_of_deletes(page: Page) -> list[int]:
    """What the sender answered when the page ended its sessions."""
    sessions = "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/whep/'))"
    await page.wait_for(f"{sessions}.length")
    statuses: list[int] = await page.evaluate(f"{sessions}.map((entry) => entry.responseStatus)")
    return statuses


@needs_chromium
async def test_a_browser_that_leaves_while_it_joins_is_forgotten_and_may_join_again(
    monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    answer, asked, may_answer = server._answer, threading.Event(), threading.Event()

    async def answer_when_allowed(*arguments: Any) -> str:
        asked.set()
        await asyncio.to_thread(may_answer.wait, 30)
        return await answer(*arguments)

    monkeypatch.setattr(server, "_answer", answer_when_allowed)
    url, display, run = await asyncio.to_thread(serving, photos / "1.png", bandwidth_bps=200e3)
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        assert await asyncio.to_thread(asked.wait, 30)
        await page.evaluate(CLICK)
        await page.wait_for(f"{BUTTON} === 'Join again'")
        await page.evaluate(CLICK)
        may_answer.set()
        await page.wait_for(f"{STATE} === 'Complete'")
        assert await statuses_of_deletes(page) == [200]
        assert page.errors == []
    await asyncio.to_thread(run.stop)
    assert len([event for event in display.observed if isinstance(event, ReceiverJoined)]) == 1


@needs_chromium
async def test_a_browser_that_joins_again_sees_the_photo_anew_beside_what_it_had(large_photo: Path) -> None:
    url, display, run = await asyncio.to_thread(serving, large_photo, bandwidth_bps=30e3, deadline_s=60.0)
    photos = "document.querySelectorAll('#strip button').length"
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        await page.wait_for(f"{FIGURES}.received > 2")
        await page.evaluate(CLICK)
        await page.wait_for(f"{BUTTON} === 'Join again'")
        first = await page.evaluate(f"{FIGURES}.received")
        await page.evaluate(CLICK)
        await page.wait_for(f"{photos} === 2 && {FIGURES}.received > 2")
        await page.evaluate("document.querySelector('#strip button').click()")
        assert await page.evaluate(f"{FIGURES}.received") == first
        assert await asyncio.to_thread(display.somebody_left.wait, 10)
    await asyncio.to_thread(run.stop)


@needs_chromium
async def test_a_browser_joins_again_by_itself_when_its_connection_is_lost(
    monkeypatch: pytest.MonkeyPatch, large_photo: Path
) -> None:
    peers, make = list[PeerTransport](), PeerTransport.__init__

    def remember(self: PeerTransport, *arguments: Any, **keywords: Any) -> None:
        make(self, *arguments, **keywords)
        peers.append(self)

    monkeypatch.setattr(PeerTransport, "__init__", remember)
    url, _, run = await asyncio.to_thread(serving, large_photo, bandwidth_bps=30e3, deadline_s=60.0)
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        await page.wait_for(f"{FIGURES}.received > 2")
        run.call(peers[0].close)
        await page.wait_for(f"{STATE}.startsWith('Connection lost')")
        await page.wait_for(f"{STATE} === 'Receiving'")
        assert len(peers) == 2
        assert page.errors == []
    await asyncio.to_thread(run.stop)


@needs_chromium
async def test_a_browser_that_has_all_joins_again_when_the_sender_is_started_anew(photos: Path) -> None:
    url, _, run = await asyncio.to_thread(serving, photos / "1.png")
    async with open_page(url.replace("webrtc", "http", 1)) as page:
        await page.wait_for(f"{STATE} === 'Complete'")
        await asyncio.to_thread(run.stop)
        _, _, run = await asyncio.to_thread(serving, photos / "2.png", to=url)
        await page.wait_for("document.querySelectorAll('#strip button').length === 2")
        await page.wait_for(f"{STATE} === 'Complete'")
        assert "128×128" in await page.evaluate("document.querySelector('#caption').textContent")
    await asyncio.to_thread(run.stop)


@needs_chromium
async def test_a_browser_whose_packets_find_no_way_is_told_so_and_may_try_again(
    monkeypatch: pytest.MonkeyPatch, photos: Path
) -> None:
    url, _, run = await asyncio.to_thread(serving, photos / "1.png", bandwidth_bps=200e3)
    with monkeypatch.context() as firewall:
        firewall.setattr(StunProtocol, "datagram_received", lambda *_: None)
        async with open_page(url.replace("webrtc", "http", 1) + "/#limit=2") as page:
            await page.wait_for(f"{BUTTON} === 'Try again'")
            told = await page.evaluate("document.querySelector('#notice').textContent")
            assert await page.evaluate(STATE) == "Not joined"
            assert "packets find no way" in told
            assert "open UDP" in told
            assert await statuses_of_deletes(page) == [200]
            firewall.undo()
            await page.evaluate(CLICK)
            await page.wait_for(f"{STATE} === 'Complete'")
            assert page.errors == []
    await asyncio.to_thread(run.stop)

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from PIL import Image

import progressive.shell.display
from loopback import local_stream
from progressive.metrics import psnr
from progressive.photos import read_photo, sample_photo, write_png
from progressive.registry import CODECS, load_codec
from sender.__main__ import main

pytestmark = pytest.mark.usefixtures("thumbnails")
FAST = ("--fast", "--codec", "thumbnails")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photos" / "astronaut.png"
    path.parent.mkdir()
    write_png(path, np.ascontiguousarray(sample_photo()[::4, ::4]))
    return path


def report_of(folder: Path) -> dict[str, object]:
    report = json.loads((folder / "report.json").read_text())
    assert isinstance(report, dict)
    return report


def test_a_run_leaves_pictures_timeline_and_report(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    outcome = call(main, photo, *FAST, "--output", out, "--bandwidth", "20kbps", "--channel", "none")
    assert outcome.status == 0, outcome.err
    report = report_of(out)
    events = report["events"]
    assert isinstance(events, list)
    assert events
    pictures = [f"refinement_{number:02d}.png" for number in range(len(events))]
    assert {file.name for file in out.iterdir()} == {*pictures, "final.png", "timeline.png", "report.json"}
    assert read_photo(out / "final.png").shape == (128, 128, 3)
    for event in events:
        assert event.keys() == {"time_s", "bytes", "layer", "psnr", "ms_ssim", "expected_psnr", "coded_psnr"}
        assert event["coded_psnr"] is None
        assert event["ms_ssim"] is None
        assert event["psnr"] > 5
    for event in events[1:]:  # the first may come before the sender has told
        assert abs(event["expected_psnr"] - event["psnr"]) < 1
    for event in events:  # no byte arrives before the link has had the time to carry it
        assert event["bytes"] * 8 <= 20_000 * event["time_s"] + 1e-6
    for name in ("time_s", "bytes", "layer"):
        values = [event[name] for event in events]
        assert values == sorted(values)
    assert events[-1]["bytes"] <= report["wire_bytes"]
    settings = report["settings"]
    assert isinstance(settings, dict)
    assert settings["bandwidth_bps"] == 20_000
    assert settings["photo"] == "astronaut"


def test_the_header_echoes_every_setting_parsed_and_one_line_closes_the_run(
    call: CommandLine, photo: Path, tmp_path: Path
) -> None:
    outcome = call(
        main, photo, *FAST, "--output", tmp_path / "out", "--bandwidth", "6.25kB/s", "--channel", "ge:loss=1%,burst=2"
    )
    header = outcome.out.splitlines()
    assert "bandwidth   50 kbit/s" in header
    link = "loss 1% in bursts of 2 packets, rate 50 kbit/s, seed 0, virtual clock"
    assert f"channel     ge:loss=1%,burst=2: {link}" in header
    assert header[-1].startswith("astronaut: layer 1, PSNR ")


@pytest.mark.parametrize(("asked", "context", "layer"), [((), "hybrid", 1), (("--context", "classify"), "classify", 0)])
def test_the_photo_is_ordered_for_a_context_that_the_run_echoes(
    call: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    photo: Path,
    tmp_path: Path,
    asked: tuple[str, ...],
    context: str,
    layer: int,
) -> None:
    factory = "fake_codec:ThumbnailCodecWithContexts"
    monkeypatch.setitem(CODECS, "contextual", replace(CODECS["thumbnails"], factory=factory))
    run = ("--fast", "--codec", "contextual", "--channel", "none", "--output", tmp_path / "out")
    outcome = call(main, photo, *run, *asked)
    assert outcome.status == 0, outcome.err
    assert f"codec       contextual, context {context}" in outcome.out.splitlines()
    report = report_of(tmp_path / "out")
    settings, events = report["settings"], report["events"]
    assert isinstance(settings, dict)
    assert isinstance(events, list)
    assert (settings["context"], events[-1]["layer"]) == (context, layer)


def test_a_codec_of_one_order_is_sent_without_a_context(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    outcome = call(main, photo, *FAST, "--output", tmp_path / "out")
    assert "codec       thumbnails" in outcome.out.splitlines()
    settings = report_of(tmp_path / "out")["settings"]
    assert isinstance(settings, dict)
    assert settings["context"] is None
    refused = call(main, photo, *FAST, "--output", tmp_path / "out", "--context", "hybrid")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "thumbnails orders its segments one way only" in refused.err


def test_the_same_seed_gives_the_same_run_and_another_one_another(
    call: CommandLine, photo: Path, tmp_path: Path
) -> None:
    def events(seed: int) -> object:
        run = (photo, *FAST, "--channel", "ep6", "--seed", seed, "--output", tmp_path / "out", "--packet-size", 250)
        call(main, *run)
        return report_of(tmp_path / "out")["events"]

    assert events(3) == events(3) != events(4)


def test_in_real_time_the_same_photo_arrives(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    quick = ("--bandwidth", "2Mbps", "--channel", "rate:4Mbps,delay=5ms,jitter=2ms")
    outcome = call(main, photo, "--codec", "thumbnails", *quick, "--output", tmp_path / "live")
    assert outcome.status == 0, outcome.err
    call(main, photo, *FAST, *quick, "--output", tmp_path / "fast")
    assert np.array_equal(read_photo(tmp_path / "live" / "final.png"), read_photo(tmp_path / "fast" / "final.png"))
    events = report_of(tmp_path / "live")["events"]
    assert isinstance(events, list)
    assert 0.005 < events[0]["time_s"] < events[-1]["time_s"]


def test_json_prints_the_events_of_the_report_and_nothing_else(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    outcome = call(main, photo, *FAST, "--json", "--output", tmp_path / "out")
    assert [json.loads(line) for line in outcome.out.splitlines()] == report_of(tmp_path / "out")["events"]
    assert "bandwidth   50 kbit/s" in outcome.err


def test_quiet_says_nothing(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    outcome = call(main, photo, *FAST, "--quiet", "--output", tmp_path / "out")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


def test_several_photos_get_a_folder_each(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    write_png(photo.with_name("b.png"), read_photo(photo)[:40])
    Image.fromarray(read_photo(photo)).save(photo.with_name("astronaut.bmp"))
    outcome = call(main, photo.parent, *FAST, "--json", "--output", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    assert {folder.name for folder in (tmp_path / "out").iterdir()} == {"astronaut", "astronaut_2", "b"}
    assert read_photo(tmp_path / "out" / "b" / "final.png").shape == (40, 128, 3)
    assert {json.loads(line)["photo"] for line in outcome.out.splitlines()} == {"astronaut", "astronaut_2", "b"}


def test_an_unreadable_photo_among_several_is_named_and_the_others_are_sent(
    call: CommandLine, photo: Path, tmp_path: Path
) -> None:
    photo.with_name("a.png").write_bytes(b"not a photo")
    outcome = call(main, photo.parent, *FAST, "--output", tmp_path / "out")
    assert outcome.status == 1
    assert outcome.err == "error: 1 of 2 photos failed: a\n"
    assert (tmp_path / "out" / "astronaut" / "final.png").exists()


def test_a_base_too_large_for_the_bandwidth_is_sent_smaller_unless_told_otherwise(
    call: CommandLine, photo: Path, tmp_path: Path
) -> None:
    slow = ("--bandwidth", "250bps", "--packet-size", "250", "--channel", "none", "--output", tmp_path / "out")
    outcome = call(main, photo, *FAST, *slow)
    assert "astronaut: downscaled from 128x128 to " in outcome.out
    assert max(read_photo(tmp_path / "out" / "final.png").shape) < 128
    outcome = call(main, photo, *FAST, *slow, "--full-size")
    assert "downscaled" not in outcome.out
    assert read_photo(tmp_path / "out" / "final.png").shape == (128, 128, 3)


@pytest.mark.timeout(60)
def test_a_photo_on_a_very_slow_link_is_compared_with_the_original_or_refused_with_what_would_do(
    call: CommandLine, tmp_path: Path
) -> None:
    slow = ("--packet-size", "222", "--channel", "none", "--output", tmp_path / "out")
    outcome = call(main, *FAST, *slow, "--bandwidth", "300bps")
    assert outcome.status == 0, outcome.err
    assert "downscaled from 512x512 to " in outcome.out
    assert "equal to the original" not in outcome.out
    events = report_of(tmp_path / "out")["events"]
    assert isinstance(events, list)
    final = Image.open(tmp_path / "out" / "final.png").resize((512, 512), Image.Resampling.LANCZOS)
    assert events[-1]["psnr"] == pytest.approx(psnr(np.asarray(final), sample_photo()))
    assert events[-1]["coded_psnr"] > events[-1]["psnr"]

    refused = call(main, *FAST, *slow, "--bandwidth", "30bps")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "the base of 64x64 pixels takes" in refused.err
    deadline = refused.err.split("--deadline ")[1].split()[0]
    assert call(main, *FAST, *slow, "--bandwidth", "30bps", "--deadline", deadline).status == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.png"], "cannot read missing.png"),
        (["--bandwidth", "fast"], "'fast' is not a bandwidth"),
        (["--bandwidth", "50"], "'50' is not a bandwidth"),
        (["--channel", "ep9"], "channel 'ep9': column 1: unknown part 'ep9'"),
        (["--codec", "gif"], "unknown codec 'gif': use one of"),
        (["--serve", "120%"], "a share of 1.2 of the receivers cannot be served: use above 0% to 100%"),
        (["--serve", "95%", "--one-way"], "leave --one-way out"),
        (["--repair", "--one-way"], "leave --one-way out"),
        (["--protection", "total"], "unknown protection 'total': use one of auto"),
        (["--packet-size", "39"], "packets of 39 bytes are too small: use 40 or more"),
        (["--deadline", "0s"], "a deadline of 0 s"),
        (["--to", "udp://127.0.0.1"], "lacks a port"),
        (["--to", "http://127.0.0.1:80"], "is not an address: write udp://HOST:PORT"),
        (["--to", "udp://127.0.0.1:9", "--serve-for", "1s"], "--serve-for has no meaning for udp://"),
        (["--serve-for", "1s"], "--serve-for is for receivers elsewhere"),
        (["--serve", "95%"], "--serve is for receivers elsewhere: leave it out, or give --to"),
        (["--every", "1s"], "--every is for photos that come one after the other: name a folder"),
        (["photos", "--every", "0s"], "--every 0s leaves no time between photos: use more than 0"),
        (["photos", "--every", "61s"], "receivers wait no longer for a frame than 60 s"),
        (["--to", "udp://127.0.0.1:9", "--fast"], "--fast is for a receiver in this process"),
        (["--to", "udp://127.0.0.1:9", "--view"], "--view is for a receiver in this process"),
        (["--to", "udp://127.0.0.1:9", "--channel", "ep2"], "--channel is for a receiver in this process"),
        (["--output", "/proc/out"], "cannot write into the folder /proc/out"),
        (["--seed", "-1"], "--seed"),
        (["--frobnicate"], "No such option: --frobnicate"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = call(main, *arguments, *([] if "--to" in arguments else ["--fast"]))
    assert outcome.status == 2
    assert outcome.err.startswith("error: ")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def test_without_a_base_the_run_has_failed(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    lossy = ("--channel", "loss:99.9%", "--deadline", "2s", "--output", tmp_path / "out")
    outcome = call(main, photo, *FAST, *lossy)
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    assert "nothing of the base arrived" in outcome.err
    assert report_of(tmp_path / "out")["events"] == []


def test_an_interrupted_run_keeps_what_came(
    call: CommandLine, monkeypatch: pytest.MonkeyPatch, photo: Path, tmp_path: Path
) -> None:
    def interrupt(self: progressive.shell.display.Display, record: object, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(progressive.shell.display.Display, "event", interrupt)
    outcome = call(main, photo, *FAST, "--output", tmp_path / "out")
    assert outcome.status == 130
    assert (tmp_path / "out" / "final.png").exists()
    assert len(list((tmp_path / "out").glob("refinement_*.png"))) == 1


@pytest.mark.parametrize(
    ("sent", "of_ctrl_c", "status"),
    [
        (signal.SIGINT, signal.SIG_DFL, 130),
        (signal.SIGTERM, signal.SIG_DFL, 143),
        (signal.SIGTERM, signal.SIG_IGN, 143),  # as for what a shell starts in the background
    ],
)
def test_a_run_that_is_stopped_in_real_time_keeps_what_came(
    photo: Path, tmp_path: Path, sent: signal.Signals, of_ctrl_c: signal.Handlers, status: int
) -> None:
    slowly = ("--bandwidth", "2kbps", "--deadline", "60s")  # all of the photo would take 10 s
    command = [sys.executable, "-m", "sender", str(photo), *slowly, "--output", str(tmp_path / "out")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Children of a process that ignores the signal ignore it too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, of_ctrl_c),  # noqa: PLW1509
    )
    try:
        assert process.stdout is not None
        assert any("base  PSNR" in line for line in process.stdout)
        os.kill(process.pid, sent)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, err) == (status, "")
    assert (tmp_path / "out" / "final.png").exists()
    assert report_of(tmp_path / "out")["events"]


def test_a_run_may_be_watched_counted_and_logged(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    log = tmp_path / "run.jsonl"
    beside = ("--view", "127.0.0.1:0", "--metrics", "0", "--log", log)
    outcome = call(main, photo, *FAST, "--output", tmp_path / "out", *beside)
    assert outcome.status == 0
    assert "viewer at http://127.0.0.1:" in outcome.out
    assert "metrics at http://127.0.0.1:" in outcome.out
    events = [json.loads(line) for line in log.read_text().splitlines() if '"event"' in line]
    assert [entry["event"] for entry in events] == report_of(tmp_path / "out")["events"]


def test_streaming_needs_no_torch_until_it_measures() -> None:
    script = "import sys, sender.__main__, loopback.local, sender.remote, receiver.run; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_on_the_virtual_clock_a_busy_receiver_serves_many_packets_with_one_picture(
    call: CommandLine, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = (photo, *FAST, "--output", tmp_path / "out", "--channel", "none", "--packet-size", 300)
    call(main, *run)
    eager = report_of(tmp_path / "out")["events"]
    monkeypatch.setattr(local_stream, "REFINEMENT_S_PER_MEGAPIXEL", 1e6)
    call(main, *run)
    lazy = report_of(tmp_path / "out")["events"]
    assert isinstance(eager, list)
    assert isinstance(lazy, list)
    assert len(eager) > 3
    assert len(lazy) == 2
    assert lazy[0] == eager[0]
    assert lazy[-1]["psnr"] == eager[-1]["psnr"]


EARLY_S = 0.8


@pytest.mark.timeout(180)  # a whole codec at work, on whatever processor
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_the_sample_photo_shows_early_over_a_lossy_link_of_50_kbps(
    call: CommandLine, tmp_path: Path, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy_s = local_stream.LocalStream.refinement_s.fget
    few_later = property(lambda stream: busy_s(stream) if stream._clock() < EARLY_S else 2.0)
    monkeypatch.setattr(local_stream.LocalStream, "refinement_s", few_later)  # pictures take most of this test's time
    outcome = call(main, "--fast", "--quiet", "--codec", codec, "--output", tmp_path / "out")
    assert outcome.status == 0, outcome.err
    events = report_of(tmp_path / "out")["events"]
    assert isinstance(events, list)
    assert events[0]["time_s"] < EARLY_S
    first_whole = next(event for event in events if event["psnr"] > 20)
    assert first_whole["time_s"] < EARLY_S
    assert events[-1]["psnr"] > {"fidelity": 28, "perception": 23}[load_codec(codec).traits.objective]


def test_damaged_packets_are_delivered_on_request_and_corrected_by_inner_parity(
    call: CommandLine, photo: Path, tmp_path: Path
) -> None:
    quality = {}
    for options in ((), ("--deliver-damaged",)):
        out = tmp_path / "-".join(("out", *options))
        arguments = ("--channel", "ber:5e-4", "--inner-parity", "32", "--packet-size", "300B", *options)
        outcome = call(main, photo, *FAST, *arguments, "--protection", "none", "--one-way", "--output", out)
        assert "rate" in outcome.out
        quality[options] = len(report_of(out)["events"]) if outcome.status == 0 else 0  # type: ignore[arg-type]
    assert quality["--deliver-damaged",] > quality[()]
    refusal = call(main, photo, "--to", "udp://127.0.0.1:9", "--deliver-damaged")
    assert refusal.status == 2
    assert "--deliver-damaged is for a receiver in this process" in refusal.err


def test_the_losses_to_plan_for_are_said_and_change_the_plan(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    def run(*expect: str) -> tuple[str, dict[str, object]]:
        small = ("--packet-size", 150, "--bandwidth", "10kbps", "--deadline", "1s", "--full-size", "--headers", "long")
        run = (photo, *FAST, "--one-way", "--output", tmp_path / "out", *small)
        outcome = call(main, *run, "--channel", "none", *expect)
        assert outcome.status == 0, outcome.err
        return outcome.out, report_of(tmp_path / "out")

    said, light = run("--expect", "loss=0.1%")
    assert "expected    loss 0.1%" in said.splitlines()
    _, heavy = run("--expect", "loss=30%,burst=3")
    settings = heavy["settings"]
    assert isinstance(settings, dict)
    assert settings["expect"] == {"loss": 0.3, "burst": 3}
    assert light["events"] != heavy["events"]
    refused = call(main, photo, *FAST, "--expect", "loss=300%")
    assert (refused.status, refused.err.count("\n")) == (2, 1)


def test_a_rate_that_is_not_known_is_found(call: CommandLine, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    channel = ("--channel", "rate:200kbps,delay=50ms")
    outcome = call(main, photo, *FAST, "--output", out, "--bandwidth", "auto", "--deadline", "4s", *channel)
    assert outcome.status == 0, outcome.err
    assert "auto, packets wait 250 ms at most" in outcome.err + outcome.out
    assert re.search(r", sent at [\d.]+ [kM]?bit/s -> ", outcome.out)
    settings = report_of(out)["settings"]
    assert isinstance(settings, dict)
    assert settings["follow"]
    assert settings["bandwidth_bps"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bandwidth", "auto", "--channel", "ep3"), "no rate to find on the channel ep3: add one"),
        (("--bandwidth", "auto", "--one-way"), "leave --one-way out"),
        (("--bandwidth", "auto", "--to", "mqtt://"), "give a rate"),
        (("--bandwidth", "50kbps", "--queue-delay", "1s"), "--queue-delay is for --bandwidth auto"),
        (("--bandwidth", "auto", "--queue-delay", "1min"), "use 20 ms to 10 s"),
    ],
)
def test_what_no_rate_can_be_found_for_is_refused(
    call: CommandLine, photo: Path, options: tuple[str, ...], words: str
) -> None:
    outcome = call(main, photo, "--fast", *options) if "--to" not in options else call(main, photo, *options)
    assert outcome.status == 2
    assert words in outcome.err
    assert outcome.err.count("\n") == 1

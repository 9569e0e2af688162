import json

import fake_codec
import numpy as np
import pytest

from progressive.errors import RunError, UsageError
from progressive.metrics import psnr
from progressive.photos import read_photo, sample_photo, write_png
from sender.__main__ import main
from sender.frame import Frame, TimedFrames
from sender.sequence import FrameSequence
from sender.settings import SenderSettings

CODEC = fake_codec.ThumbnailCodec()
BACKGROUND = np.ascontiguousarray(sample_photo()[::2, ::2])


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def wait_until(self, time_s):
        self.now = max(self.now, time_s)


def with_square(left, level=250):
    photo = BACKGROUND.copy()
    photo[100:120, left : left + 20] = level
    return photo


def sequence_of(*photos, clock=None, every_s=1.0, deadline_s=2.0, bandwidth_bps=50_000, codec=CODEC):
    def read(photo):
        if isinstance(photo, Exception):
            raise photo
        return photo

    clock = clock or Clock()
    frames = TimedFrames(Frame(str(i), i * every_s, lambda p=p: read(p)) for i, p in enumerate(photos))
    settings = SenderSettings(bandwidth_bps, deadline_s=deadline_s)
    return FrameSequence(
        frames, codec, settings, full_size=True, context=None, clock=clock, wait_until=clock.wait_until
    )


def send(sequence, stream_id, *, known=None):
    """Takes a turn of which the receivers are known to have these segments, all if None."""
    turn = sequence.next()
    stream = turn.prepared.stream
    segments = [s.id for s in stream.segments] if known is None else known
    sequence.sent(turn, stream_id, stream, segments)
    return turn.prepared


def test_only_what_changed_is_sent_once_the_rest_is_known_to_be_there():
    sequence = sequence_of(BACKGROUND, with_square(70), with_square(140))
    assert send(sequence, 10).placement is None
    second = send(sequence, 11)
    assert (second.placement.canvas, second.placement.left, second.placement.top) == (10, 64, 96)
    assert second.stream.header.width == second.stream.header.height == 32
    third = send(sequence, 12).placement  # the square, and what it had hidden
    assert (third.canvas, third.left, third.top) == (11, 64, 96)
    assert sequence.share_sent < 0.5


def test_a_frame_that_the_receivers_show_already_is_not_sent():
    sequence = sequence_of(*[BACKGROUND] * 5, with_square(0))
    send(sequence, 0)
    assert send(sequence, 1).name == "5"
    assert sequence.unchanged == 4


def test_a_part_that_was_sent_is_as_good_as_it_gets():
    sequence = sequence_of(BACKGROUND, with_square(70), with_square(70), with_square(150))
    send(sequence, 0)
    send(sequence, 1)
    assert send(sequence, 2).name == "3"
    assert sequence.unchanged == 1


def test_a_still_scene_is_sent_anew_now_and_then():
    sequence = sequence_of(*[BACKGROUND] * 50)
    assert [send(sequence, number).name for number in range(3)] == ["0", "20", "40"]


@pytest.mark.parametrize("known", [[], [1]])
def test_without_feedback_every_frame_is_sent_whole(known):
    sequence = sequence_of(BACKGROUND, BACKGROUND)
    assert len(CODEC.encode(BACKGROUND).segments) > 2
    assert send(sequence, 0, known=known).placement is None
    assert send(sequence, 1, known=known).placement is None


def test_blocks_that_did_not_arrive_well_are_sent_again():
    segments = CODEC.encode(BACKGROUND, max_payload=1000).segments
    base = [s.id for s in segments if s.layer == 0]
    sequence = sequence_of(BACKGROUND, BACKGROUND)
    send(sequence, 0, known=base)
    again = send(sequence, 1)
    assert again.placement is None or again.placement.canvas == 0
    assert again.name == "1"


def test_a_canvas_that_receivers_no_longer_keep_is_not_built_on():
    sequence = sequence_of(BACKGROUND, *[with_square(32 * i) for i in range(5)])
    send(sequence, 0)
    placements = [send(sequence, number, known=[]).placement for number in range(1, 6)]
    assert [p.canvas for p in placements[:3]] == [0, 0, 0]
    assert placements[3:] == [None, None]


def test_late_frames_are_dropped_and_the_newest_wins():
    clock = Clock()
    sequence = sequence_of(*[with_square(20 * i) for i in range(10)], clock=clock, deadline_s=0.5)
    assert sequence.next().prepared.name == "0"
    clock.now = 3.3
    turn = sequence.next()
    assert (turn.prepared.name, turn.deadline_s) == ("3", pytest.approx(0.2))
    clock.now = 5.97
    assert sequence.next().prepared.name == "6"
    assert (clock.now, sequence.late) == (6.0, 1)


class SlowCodec(fake_codec.ThumbnailCodec):
    def __init__(self, clock, takes_s):
        self.clock, self.takes_s = clock, takes_s

    def encode(self, photo, *, max_payload=1000, context=None):
        self.clock.now += self.takes_s
        return super().encode(photo, max_payload=max_payload)


def test_a_sequence_whose_coding_outlasts_its_deadline_fails_with_one_that_would_do():
    def run(deadline_s):
        clock = Clock()
        photos = [with_square(20 * i) for i in range(20)]
        sequence = sequence_of(*photos, clock=clock, deadline_s=deadline_s, codec=SlowCodec(clock, 2.3))
        while (turn := sequence.next()) is not None:
            sequence.sent(turn, sequence.sent_count, turn.prepared.stream, [])
        return sequence

    failed = run(2.0)
    assert (failed.sent_count, failed.late > 0) == (0, True)
    with pytest.raises(RunError, match=r"not one frame was sent: .*2\.[0-9] s.*deadline of 2 s.* --deadline") as error:
        failed.check()
    enough_s = float(str(error.value).split("--deadline ")[1].partition("s")[0])
    run(enough_s).check()
    assert run(enough_s).sent_count > 0


def test_a_frame_whose_base_cannot_be_sent_in_what_is_left_is_late():
    clock = Clock()
    sequence = sequence_of(*[BACKGROUND] * 4, clock=clock, bandwidth_bps=4_000, codec=SlowCodec(clock, 0.9))
    assert sequence.next() is None
    assert sequence.late > 0


def test_a_sequence_that_cannot_be_sent_is_refused_before_the_first_frame_only():
    with pytest.raises(UsageError, match="use --deadline"):
        sequence_of(BACKGROUND, bandwidth_bps=100).next()
    small = np.ascontiguousarray(BACKGROUND[:16, :16])
    sequence = sequence_of(small, BACKGROUND, bandwidth_bps=1_000)
    send(sequence, 0)
    assert sequence.next() is None
    assert sequence.late == 1


def test_a_frame_that_cannot_be_read_is_named_and_the_next_one_taken():
    sequence = sequence_of(UsageError("cannot read it"), BACKGROUND)
    assert sequence.next().prepared.name == "1"
    assert sequence.unreadable == ["0"]
    with pytest.raises(RunError, match="1 frame could not be read: 0"):
        sequence.check()


def test_how_a_sequence_went_is_counted_in_words():
    sequence = sequence_of(BACKGROUND, with_square(60))
    send(sequence, 0)
    assert sequence.in_words().startswith("1 frame sent, 0 dropped")
    send(sequence, 1)
    assert sequence.in_words().startswith("2 frames sent, 0 dropped")


def test_a_frame_of_another_size_is_sent_whole():
    sequence = sequence_of(BACKGROUND, BACKGROUND[:200])
    send(sequence, 0)
    assert send(sequence, 1).placement is None


@pytest.mark.usefixtures("thumbnails")
def test_a_folder_as_a_sequence_from_end_to_end(call, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    originals = [with_square(60), with_square(60), with_square(150)]
    for i, photo in enumerate(originals):
        write_png(folder / f"{i}.png", photo)
    out = tmp_path / "out"
    run = ("--fast", "--codec", "thumbnails", "--channel", "none", "--every", "3s", "--deadline", "2s", "--output", out)
    outcome = call(main, folder, *run, "--bandwidth", "500kbps")
    assert outcome.status == 0, outcome.err
    assert "2 frames sent, 0 dropped for newer ones or as late, 1 unchanged" in outcome.out
    assert "of 256x256 changed" in outcome.out
    assert not (out / "1").exists()
    final = read_photo(out / "2" / "final.png")
    assert final.shape == (256, 256, 3)
    # as good as if all of it had been sent
    alone = CODEC.decoder(CODEC.encode(originals[2]).header)
    for segment in CODEC.encode(originals[2]).segments:
        alone.push(segment.id, segment.payload)
    assert psnr(final, originals[2]) > psnr(alone.picture(), originals[2]) - 0.5
    assert json.loads((out / "2" / "report.json").read_text())["wire_bytes"] < 0.5 * sum(
        json.loads((out / "0" / "report.json").read_text())[name] for name in ("wire_bytes",)
    )


@pytest.mark.usefixtures("thumbnails")
@pytest.mark.parametrize(
    ("source", "options", "said"),
    [
        ("/dev/null", ["--fast"], "leave --fast out"),
        ("missing.mp4", [], "cannot read missing.mp4"),
        (None, ["--every", "soon"], "'soon' is not a time"),
    ],
)
def test_sequences_that_cannot_be_are_refused(call, tmp_path, source, options, said):
    pytest.importorskip("av")
    arguments = [*([source] if source else []), "--codec", "thumbnails", "--output", tmp_path / "out", *options]
    outcome = call(main, *arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert said in outcome.err
    assert not (tmp_path / "out").exists()

import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from progressive.errors import UsageError
from sender.__main__ import main
from sender.frame import Frame, LiveFrames, TimedFrames
from sender.frames import Pictures, is_sequence, open_frames, photo_frames
from sender.prepare import Source


def timed(*times_s):
    return TimedFrames([Frame(str(i), time_s, lambda: None) for i, time_s in enumerate(times_s)])


def test_the_newest_frame_wins():
    frames = timed(0.0, 0.1, 0.2, 0.3, 5.0)
    assert frames.next(0.0).name == "0"
    assert frames.next(0.25).name == "2"
    assert frames.passed_over == 1
    assert frames.next(0.25).name == "3"  # yet to come
    assert frames.next(9.0).name == "4"
    assert frames.next(9.0) is None


def test_photos_come_at_equal_distances():
    frames = photo_frames([Source(name, None) for name in ("a", "b", "c")], 2.5)
    assert [(f.name, f.time_s) for f in iter(lambda: frames.next(0.0), None)] == [("a", 0.0), ("b", 2.5), ("c", 5.0)]


def test_a_camera_gives_the_newest_frame_once():
    shown = [threading.Event() for _ in range(3)]
    taken = threading.Event()

    def photos():
        for level in range(3):
            yield np.full((2, 2, 3), level, np.uint8)
            shown[level].set()
        assert taken.wait(10)
        yield np.full((2, 2, 3), 9, np.uint8)

    frames = LiveFrames(photos(), clock=lambda: 7.0)
    assert all(event.wait(10) for event in shown)
    newest = frames.next(7.0)
    assert (newest.time_s, int(newest.read()[0, 0, 0])) == (7.0, 2)
    assert frames.passed_over == 2
    taken.set()
    assert int(frames.next(8.0).read()[0, 0, 0]) == 9
    assert frames.next(8.0) is None
    frames.close()


def test_a_camera_that_fails_says_why():
    def photos():
        raise UsageError("too large")
        yield

    with pytest.raises(UsageError, match="too large"):
        LiveFrames(photos(), clock=lambda: 0.0).next(0.0)


def write_video(path, pictures, codec="mpeg4"):
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def video(tmp_path):
    return write_video(tmp_path / "grey.mp4", [np.full((48, 64, 3), level, np.uint8) for level in range(0, 200, 10)])


def test_a_video_is_read_at_its_times(video):
    frames = open_frames(str(video), None, clock=lambda: 0.0)
    first, later = frames.next(0.0), frames.next(1.0)
    assert (first.name, first.time_s) == ("grey_00001", 0.0)
    assert (later.name, later.time_s) == ("grey_00011", pytest.approx(1.0))
    assert first.read().shape == (48, 64, 3)
    assert later.read().mean() == pytest.approx(100, abs=4)
    frames.close()


def test_a_video_cut_short_ends_where_it_is(tmp_path):
    rng = np.random.default_rng(0)
    path = write_video(tmp_path / "cut.avi", rng.integers(0, 256, (20, 48, 64, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    frames = open_frames(str(path), None, clock=lambda: 0.0)
    assert 1 < sum(1 for _ in iter(lambda: frames.next(0.0), None)) < 20


@pytest.fixture
def damage(tmp_path):
    """Writes a video of 12 frames, and noise over some of its packets."""
    av = pytest.importorskip("av")
    if "libx264" not in av.codecs_available:
        pytest.skip("damage shows in H.264, which this FFmpeg does not encode")

    def damage(packets):
        rng = np.random.default_rng(0)
        scene = np.kron(rng.integers(0, 256, (12, 16, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        path = write_video(
            tmp_path / "damaged.mp4", [scene[i : i + 48, 2 * i : 2 * i + 64] for i in range(12)], "libx264"
        )
        with av.open(str(path)) as container:
            places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
        content = bytearray(path.read_bytes())
        for begin, size in (places[packet] for packet in packets):
            content[begin : begin + size] = rng.bytes(size)
        path.write_bytes(content)
        return path

    return damage


def test_damaged_frames_of_a_video_are_left_out_and_told_of(damage):
    path = damage([5])
    frames = open_frames(str(path), None, clock=lambda: 0.0)
    assert sum(1 for _ in iter(lambda: frames.next(0.0), None)) == 11
    assert frames.damage == f"cannot decode 1 frame of {path}: it is damaged"


def test_a_picture_that_the_decoder_marks_as_damaged_is_left_out():
    pytest.importorskip("av")
    pictures = [SimpleNamespace(is_corrupt=number == 1, width=64, height=48) for number in range(3)]
    packet = SimpleNamespace(decode=lambda: pictures)
    decoded = Pictures(SimpleNamespace(demux=lambda video: iter([packet])), "some.mp4")
    assert list(decoded) == [pictures[0], pictures[2]]
    assert decoded.damage == "cannot decode 1 frame of some.mp4: it is damaged"


def test_an_undamaged_video_is_told_nothing_of(video):
    frames = open_frames(str(video), None, clock=lambda: 0.0)
    assert sum(1 for _ in iter(lambda: frames.next(0.0), None)) == 20
    assert frames.damage == ""


def test_a_video_of_which_nothing_can_be_decoded_is_refused_with_advice(damage):
    with pytest.raises(UsageError, match="damaged.mp4: not one frame of it can be decoded: give another copy"):
        open_frames(str(damage(range(12))), None, clock=lambda: 0.0)


@pytest.mark.usefixtures("thumbnails")
def test_a_damaged_video_is_sent_and_ends_with_status_1(call, damage, tmp_path):
    path = damage([5])
    run = ("--fast", "--codec", "thumbnails", "--channel", "none", "--bandwidth", "500kbps", "--deadline", "2s")
    outcome = call(main, path, *run, "--output", tmp_path / "out")
    assert (outcome.status, outcome.err) == (1, f"error: cannot decode 1 frame of {path}: it is damaged\n")
    assert (tmp_path / "out" / "damaged_00001" / "final.png").exists()


def test_a_video_that_lacks_its_end_is_refused_with_advice(damage):
    path = damage([])
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UsageError, match="damaged.mp4: it is no video, damaged or cut short: give another copy"):
        open_frames(str(path), None, clock=lambda: 0.0)


@pytest.mark.parametrize(
    ("name", "content"), [("none.mp4", None), ("noise.mp4", bytes(range(256)) * 20), ("empty.mkv", b"")]
)
def test_what_is_no_video_is_refused_in_a_line(tmp_path, name, content):
    pytest.importorskip("av")
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read .*" + name):
        open_frames(str(path), None, clock=lambda: 0.0)


def test_a_video_with_times_of_its_own_takes_no_others(video):
    with pytest.raises(UsageError, match="leave --every out"):
        open_frames(str(video), 1.0, clock=lambda: 0.0)


def test_what_is_a_sequence(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    assert not is_sequence(str(tmp_path), None)
    assert not is_sequence(None, None)
    assert is_sequence(str(tmp_path), 1.0)
    assert is_sequence("flight.MP4", None)
    assert is_sequence("/dev/null", None)  # of characters, as cameras are
    assert not is_sequence("/dev/shm/photo.png", None)
    assert is_sequence("rtsp://camera/stream", None)

"""The command line over a codec of four flat quarters, small enough to foretell every picture."""

import sys
from collections.abc import Iterable, Set
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from progressive import registry
from progressive.__main__ import main
from progressive.codec import DecoderStatus, Photo, Pushed, Traits, pushed_one_by_one
from progressive.container import read_stream
from progressive.errors import BitstreamError
from progressive.photos import read_photo, write_png
from progressive.runtime.stopping import Stop, never
from progressive.stream import LayeredStream, Segment, StreamHeader

NUMBER = 200
RECORD = 10 + 4
HEADER = 7 + 16 + 4


class Quarters:
    """Codes the mean grey of each horizontal quarter in a segment; the first is the base."""

    name = "quarters"
    model_id = b"quarters"
    traits = Traits(smallest_payload=4)

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        parts = np.array_split(photo, 4, axis=0)
        segments = tuple(
            Segment(i, int(i > 1), (), b"mea" + bytes([round(float(part.mean()))])) for i, part in enumerate(parts, 1)
        )
        return LayeredStream(StreamHeader(NUMBER, b"quarters", photo.shape[1], photo.shape[0], 4), segments)

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> "QuartersDecoder":
        if header.model_id != b"quarters":
            raise BitstreamError("made by another model")
        return QuartersDecoder(header)


class QuartersDecoder:
    def __init__(self, header: StreamHeader) -> None:
        self.header = header
        self.means: dict[int, int] = {}

    @property
    def shown(self) -> Set[int]:
        return self.means.keys()

    @property
    def status(self) -> DecoderStatus:
        layer = max((int(i > 1) for i in self.means), default=-1)
        return DecoderStatus(1 in self.means, layer, len(self.means), 0, grey=1 - len(self.means) / 4, coarse=0)

    def push(self, segment_id: int, payload: bytes) -> bool:
        if payload[:3] != b"mea":
            raise BitstreamError("damaged payload")
        self.means[segment_id] = payload[3]
        return True

    def push_all(self, segments: Iterable[tuple[int, bytes]]) -> Pushed:
        return pushed_one_by_one(self, segments)

    def picture(self, *, stop: Stop = never) -> Photo:
        picture = np.full((self.header.height, self.header.width, 3), 128, dtype=np.uint8)
        for i, part in enumerate(np.array_split(picture, 4, axis=0), 1):
            part[:] = self.means.get(i, 128)
        return picture


class Halves(Quarters):
    """Two quarters at a time, of which the first alone shows nothing; to classify, the lower two come first."""

    name = "halves"
    traits = Traits(smallest_payload=4, contexts=("classify", "reconstruct", "hybrid"))

    def encode(self, photo: Photo, *, max_payload: int = 1000, context: str | None = None) -> LayeredStream:
        stream = super().encode(photo, max_payload=max_payload)
        parts = [replace(s, depends_on=(s.id - 1,) if s.id % 2 == 0 else ()) for s in stream.segments]
        return stream.keep([*parts[2:], *parts[:2]] if context == "classify" else parts)

    def decoder(self, header: StreamHeader, *, device: str = "cpu") -> "HalvesDecoder":
        return HalvesDecoder(header)


class HalvesDecoder(QuartersDecoder):
    def push(self, segment_id: int, payload: bytes) -> bool:
        super().push(segment_id, payload)
        return segment_id % 2 == 0 and segment_id - 1 in self.means


@pytest.fixture(autouse=True)
def codecs_of_a_few_means(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("means")
    monkeypatch.setitem(sys.modules, "means", module)
    like = registry.CODECS[registry.DEFAULT_CODEC]
    for codec in (Quarters, Halves):
        setattr(module, codec.__name__, codec)
        entry = replace(like, number=NUMBER, factory=f"means:{codec.__name__}", summary="four means")
        monkeypatch.setitem(registry.CODECS, codec.name, entry)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_png(path, np.repeat(np.array([10, 80, 160, 240], dtype=np.uint8), 5 * 8 * 3).reshape(20, 8, 3))
    return path


@pytest.fixture
def coded(photo: Path, run: "Run") -> Path:
    path = photo.with_name("photo.prog")
    assert run("encode", photo, path, "--codec", "quarters")[0] == 0
    return path


class Run:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        """Exit status, standard output and standard error of `python -m progressive ARGUMENTS`."""
        self.monkeypatch.setattr(sys, "argv", ["progressive", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        assert isinstance(end.value.code, int)
        return end.value.code, *self.capsys.readouterr()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


def test_a_photo_goes_into_a_file_and_back(run: Run, photo: Path, coded: Path) -> None:
    status, out, _ = run("decode", coded, photo.with_name("again.png"))
    assert (status, "all 4 segments" in out) == (0, True)
    np.testing.assert_array_equal(read_photo(photo.with_name("again.png")), read_photo(photo))


@pytest.mark.usefixtures("thumbnails_with_looks")
def test_a_picture_is_written_in_the_look_that_is_asked_for(
    run: Run, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("quarters", "halves"):  # have the same number
        monkeypatch.delitem(registry.CODECS, name)
    coded, pictures = photo.with_name("photo.prog"), []
    assert run("encode", photo, coded, "--codec", "thumbnails")[0] == 0
    for look in ("faithful", "natural"):
        assert run("decode", coded, photo.with_name("out.png"), "--look", look)[0] == 0
        pictures.append(read_photo(photo.with_name("out.png")))
    assert np.array_equal(pictures[1], 255 - pictures[0])


@pytest.mark.parametrize(("look", "reason"), [("natural", "quarters has no natural look"), ("art", "unknown look")])
def test_a_look_that_is_not_there_is_refused_before_anything_is_written(
    run: Run, coded: Path, look: str, reason: str
) -> None:
    status, _, err = run("decode", coded, coded.with_name("no.png"), "--look", look)
    assert (status, reason in err, err.count("\n")) == (2, True, 1)
    assert not coded.with_name("no.png").exists()


@pytest.mark.parametrize("shown", range(5))
def test_a_cut_file_shows_what_is_there_and_says_how_much(run: Run, coded: Path, shown: int) -> None:
    size = HEADER + shown * RECORD + (shown < 4)
    picture = coded.with_name("cut.png")
    status, out, err = run("decode", coded, picture, "--bytes", f"{size}B")
    assert (status, err) == (0, "")
    assert ("all 4 segments" if shown == 4 else f"{shown} of 4 segments; the file is cut") in out
    assert read_photo(picture)[:, 0, 0].tolist()[::5] == [10, 80, 160, 240][:shown] + [128] * (4 - shown)


def test_a_file_cut_inside_its_header_fails_and_writes_nothing(run: Run, coded: Path) -> None:
    for size in range(HEADER):
        status, out, err = run("decode", coded, coded.with_name("cut.png"), "--bytes", size)
        assert (status, out) == (1, "")
        assert err.startswith(f"error: {coded}: ")
    assert not coded.with_name("cut.png").exists()


def test_damage_costs_a_segment_or_if_nothing_is_left_the_run(run: Run, coded: Path) -> None:
    data = bytearray(coded.read_bytes())
    data[HEADER + RECORD + 7] ^= 1
    coded.write_bytes(data)
    status, out, _ = run("decode", coded, coded.with_name("damaged.png"))
    assert (status, "3 of 4 segments; 1 damaged" in out) == (0, True)
    coded.write_bytes(data[:HEADER] + b"nothing that helps")
    status, _, err = run("decode", coded, coded.with_name("nothing.png"))
    assert (status, "nothing of it can be shown" in err) == (1, True)
    assert not coded.with_name("nothing.png").exists()


@pytest.mark.parametrize(("option", "limit"), [("--bytes", "60B"), ("--bpp", "3")])
def test_a_limit_keeps_the_first_segments_that_fit(run: Run, photo: Path, option: str, limit: str) -> None:
    coded = photo.with_name("small.prog")
    status, out, _ = run("encode", photo, coded, "--codec", "quarters", option, limit)
    assert (status, "2 segments" in out) == (0, True)
    assert coded.stat().st_size == HEADER + 2 * RECORD
    assert "all 2 segments" in run("decode", coded, photo.with_name("small.png"))[1]


def test_a_limited_file_ends_with_a_segment_that_shows_something(run: Run, photo: Path) -> None:
    coded = photo.with_name("small.prog")
    status, out, _ = run("encode", photo, coded, "--codec", "halves", "--bytes", HEADER + 4 * RECORD - 1)
    assert (status, "2 segments" in out, coded.stat().st_size) == (0, True, HEADER + 2 * RECORD)
    least = HEADER + 2 * RECORD
    for limit in (1, HEADER - 1, least - 1):
        status, _, err = run("encode", photo, photo.with_name("none.prog"), "--codec", "halves", "--bytes", limit)
        assert status == 2
        assert err == f"error: no picture of this photo fits {limit} bytes: its smallest file takes {least}\n"
    assert not photo.with_name("none.prog").exists()


@pytest.mark.parametrize(("context", "first"), [((), 1), (("--context", "classify"), 3)])
def test_the_context_orders_the_file(run: Run, photo: Path, context: tuple[str, ...], first: int) -> None:
    coded = photo.with_name("ordered.prog")
    status, out, _ = run("encode", photo, coded, "--codec", "halves", *context)
    assert (status, "for classify" in out) == (0, bool(context))
    assert read_stream(coded.read_bytes()).segments[0][0] == first


def test_a_picture_says_how_much_of_it_is_missing(run: Run, coded: Path) -> None:
    size = HEADER + 3 * RECORD
    _, out, _ = run("decode", coded, coded.with_name("cut.png"), "--bytes", size)
    assert out.endswith("8x20, 3 of 4 segments; the file is cut, 25% of the picture grey\n")
    _, out, _ = run("decode", coded, coded.with_name("whole.png"))
    assert out.endswith("8x20, all 4 segments\n")


def test_info_and_codecs_say_what_there_is(run: Run, coded: Path) -> None:
    status, out, _ = run("info", coded)
    assert status == 0
    for fact in (
        "quarters",
        b"quarters".hex(),
        "8x20",
        f"{HEADER + 4 * RECORD} B",
        "all 4 segments",
        "base",
        "enhance 1",
    ):
        assert fact in out
    status, out, _ = run("codecs")
    assert (status, "quarters" in out, "four means" in out) == (0, True, True)
    for name, entry in registry.CODECS.items():
        assert name in out
        assert not entry.weights or (entry.rates in out and entry.card and entry.card.name in out)


def test_a_wrong_call_is_refused_in_one_line_before_anything_is_written(run: Run, photo: Path) -> None:
    out = photo.with_name("out.prog")
    text = photo.with_name("notes.txt")
    text.write_text("notes")
    for arguments in (
        ("encode", photo.with_name("missing.png"), out, "--codec", "quarters"),
        ("encode", text, out, "--codec", "quarters"),
        ("encode", photo, photo / "below.prog", "--codec", "quarters"),
        ("encode", photo, photo.parent, "--codec", "quarters"),
        ("encode", photo, out, "--codec", "jpeg3000"),
        ("encode", photo, out, "--codec", "quarters", "--bytes", "20kb"),
        ("encode", photo, out, "--codec", "quarters", "--bytes", HEADER + RECORD - 1),
        ("encode", photo, out, "--codec", "quarters", "--bytes", "1"),
        ("encode", photo, out, "--codec", "quarters", "--bpp", "nan"),
        ("encode", photo, out, "--codec", "quarters", "--bpp", "-1"),
        ("encode", photo, out, "--codec", "quarters", "--bpp", "1", "--bytes", "20kB"),
        ("encode", photo, out, "--codec", "quarters", "--context", "classify"),
        ("encode", photo, out, "--codec", "halves", "--context", "admire"),
        ("decode", photo.with_name("missing.prog"), photo.with_name("out.png")),
        ("encode", photo),
        ("paint",),
    ):
        status, printed, err = run(*arguments)
        assert (status, printed) == (2, ""), arguments
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    assert sorted(p.name for p in photo.parent.iterdir()) == ["notes.txt", "photo.png"]


def test_a_stream_of_an_unknown_codec_or_model_fails(run: Run, coded: Path) -> None:
    from progressive.container import stream_to_bytes

    for header, named in (
        (StreamHeader(201, b"quarters", 8, 20, 0), "codec number 201"),
        (StreamHeader(NUMBER, b"eighths!", 8, 20, 0), f"needs model {b'eighths!'.hex()} of quarters"),
    ):
        coded.write_bytes(stream_to_bytes(LayeredStream(header, ())))
        for arguments in (("decode", coded, coded.with_name("out.png")), ("info", coded)):
            status, _, err = run(*arguments)
            assert (status, named in err) == (1, True)
            assert "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("encode", "missing.png", "out.prog", "--effort", "12"), "there is no effort 12"),
        (("encode", "missing.png", "out.prog", "--codec", "recurrent", "--effort", "1"), "recurrent has one effort"),
        (("evaluate", "missing", "--codec", "none", "--effort", "1"), "peers take no effort"),
    ],
)
def test_an_effort_that_is_none_is_refused_before_anything_is_read(call, arguments: tuple[str, ...], says: str) -> None:
    outcome = call(main, *arguments)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert says in outcome.err

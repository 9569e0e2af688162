"""Weights and codecs of one's own: which are found, in which order, and what is said of those that are not."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import CommandLine
from safetensors.numpy import load_file, save_file

import progressive
import receiver.__main__
import sender.__main__
from progressive import models, registry
from progressive.__main__ import main
from progressive.codec import Photo
from progressive.container import read_stream
from progressive.errors import BitstreamError, UsageError
from progressive.models import CODECS_VARIABLE, codec_of, installed_models, make_known
from progressive.photos import sample_photo, write_png
from progressive.registry import CODECS, RECIPES, load_codec, short_spec
from progressive.stream import FOREIGN, StreamHeader
from progressive.weight_files import SHIPPED, VARIABLE, find_weights, own_weight_files

CODEC = "dual_autoencoder"
OWN_CODECS = Path(__file__).parents[2] / "examples" / "own_codec"
MOSAIC = "mosaic:Mosaic"


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the commands put into the environment goes with the test."""
    for variable in (VARIABLE, CODECS_VARIABLE):
        monkeypatch.setenv(variable, "")
    monkeypatch.syspath_prepend(str(OWN_CODECS))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of another model id."""
    path = tmp_path_factory.mktemp("weights") / "mine.safetensors"
    tensors = load_file(SHIPPED / CODECS[CODEC].weights)
    save_file(tensors | {"luma.centroids": tensors["luma.centroids"] * np.float32(0.98)}, path)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    write_png(path, np.ascontiguousarray(sample_photo("chelsea")[:96, :128]))
    return path


def header_of(spec: str, photo: Photo) -> StreamHeader:
    return load_codec(spec).encode(photo).header


def test_a_file_of_ones_own_is_decoded_with_its_weights_and_refused_without_with_both_ids(
    mine: Path, photo: Path, call: CommandLine
) -> None:
    coded, picture = photo.with_suffix(".prog"), photo.with_name("picture.png")
    assert call(main, "encode", photo, coded, "--codec", CODEC, "--weights", mine).status == 0
    own = load_codec(f"{CODEC}@{mine}").model_id.hex()
    shipped = load_codec(CODEC).model_id.hex()
    refused = call(main, "decode", coded, picture)
    assert refused.status == 1
    assert all(word in refused.err for word in (own, shipped, "--weights FILE", VARIABLE))
    assert not picture.exists()
    assert call(main, "decode", coded, picture, "--weights", mine).status == 0
    assert picture.exists()
    assert own in call(main, "info", coded).out


def test_folders_and_files_of_the_environment_are_searched_by_model_id(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = header_of(f"{CODEC}@{mine}", sample_photo()[:40, :40])
    with pytest.raises(BitstreamError, match=header.model_id.hex()):
        codec_of(header)
    assert codec_of(header, weights=str(mine)).model_id == header.model_id
    shutil.copy(SHIPPED / CODECS["rmpgc_lsgan"].weights, tmp_path / "another_codec.safetensors")
    shutil.copy(mine, tmp_path / "b.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    for places in (str(mine), str(tmp_path), os.pathsep.join([str(SHIPPED), str(tmp_path)])):
        monkeypatch.setenv(VARIABLE, places)
        assert codec_of(header).model_id == header.model_id
    assert codec_of(header_of(CODEC, sample_photo()[:40, :40])).model_id == load_codec(CODEC).model_id


def test_of_equal_model_ids_ones_own_weights_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = load_file(SHIPPED / CODECS[CODEC].weights)
    better = {name: t * np.float16(0) if name.startswith("filter.") else t for name, t in tensors.items()}
    save_file(better, tmp_path / "better.safetensors")
    shipped = load_codec(CODEC)
    stream = shipped.encode(sample_photo("chelsea")[:64, :64])
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    pictures = []
    for codec in (shipped, codec_of(stream.header)):
        decoder = codec.decoder(stream.header)
        decoder.push_all((segment.id, segment.payload) for segment in stream.segments)
        pictures.append(decoder.picture())
    assert not np.array_equal(*pictures)


def test_weights_have_names_where_they_are_looked_for(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_weights("rmpgc") == SHIPPED / "rmpgc.safetensors"
    assert find_weights(str(mine)) == mine
    with pytest.raises(UsageError, match=r"no weights 'rmpg': did you mean rmpgc\? .*PROGRESSIVE_WEIGHTS"):
        find_weights("rmpg")
    monkeypatch.setenv(VARIABLE, str(mine.parent))
    assert find_weights("mine") == find_weights("mine.safetensors") == mine
    monkeypatch.setenv(VARIABLE, "/nowhere")
    with pytest.raises(UsageError, match="PROGRESSIVE_WEIGHTS names /nowhere, which is not there"):
        own_weight_files()


def test_the_weights_of_another_codec_say_whose_they_are(mine: Path) -> None:
    with pytest.raises(UsageError, match=f"holds weights of {CODEC}, not of recurrent: give --codec {CODEC}"):
        load_codec(f"recurrent@{mine}")
    assert short_spec(f"{CODEC}@{mine}") == f"{CODEC}@mine"


def test_what_is_no_weight_file_is_told_with_where_names_come_from(tmp_path: Path) -> None:
    text, strange, damaged = (tmp_path / f"{name}.safetensors" for name in ("text", "strange", "damaged"))
    text.write_text("hello")
    save_file({"a": np.zeros(3, np.float32)}, strange)
    damaged.write_bytes((SHIPPED / CODECS["rmpgc"].weights).read_bytes()[:-8])
    for path in (text, strange, damaged):
        for codec in ("rmpgc", CODEC):
            with pytest.raises(UsageError, match=f"no weight file of codec {codec}, .*progressive models") as error:
                load_codec(f"{codec}@{path}")
            assert "reinstall" not in str(error.value)
        for own in (None, MOSAIC):  # which takes no weights
            with pytest.raises(UsageError, match=r"no weight file of any codec, .*progressive models"):
                make_known(own, str(path))
    with pytest.raises(UsageError, match="holds weights of natural_look, not of rmpgc"):
        load_codec("rmpgc@natural_look")


def test_a_file_that_the_environment_names_is_one_of_weights(
    mine: Path, tmp_path: Path, call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = tmp_path / "text.safetensors"
    text.write_text("hello")
    look = SHIPPED / RECIPES["natural_look"].weights
    monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, (mine, look, tmp_path))))
    make_known()  # in a folder other files may lie
    monkeypatch.setenv(VARIABLE, os.pathsep.join(map(str, (mine, text))))
    for program, *arguments in (
        (main, "models"),
        (sender.__main__.main, "--to", "udp://127.0.0.1:9"),
        (receiver.__main__.main, "--from", "udp://127.0.0.1:0", "--timeout", "1s"),
    ):
        refused = call(program, *arguments)
        assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert f"PROGRESSIVE_WEIGHTS names {text}, which is no weight file of any codec" in refused.err


def test_every_installed_model_is_listed_with_what_streams_name(
    mine: Path, call: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(mine))
    found = installed_models()
    assert [found[0].name, found[0].codec, found[0].path] == ["mine", CODEC, mine]
    assert {model.name for model in found[1:]} >= {name for name, own in CODECS.items() if own.weights} | set(RECIPES)
    assert all(model.card for model in found[1:])
    listed = call(main, "models").out
    assert all(model.name in listed and model.model_id.hex() in listed for model in found)


def test_paths_are_whole_where_a_list_is_piped(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    listed = {name: call(main, name).out for name in ("models", "codecs")}
    assert str(SHIPPED / CODECS["label_guided"].weights) in listed["models"]
    assert all(str(CODECS["label_guided"].card) in text for text in listed.values())


def test_the_library_takes_weights_too(mine: Path) -> None:
    photo = sample_photo("chelsea")[:64, :96]
    file = progressive.encode(photo, codec=f"{CODEC}@{mine}")
    with pytest.raises(BitstreamError):
        progressive.decode(file)
    assert progressive.decode(file, weights=str(mine)).shape == photo.shape


def test_a_photo_is_streamed_in_this_process_with_weights_and_codecs_of_ones_own(mine: Path) -> None:
    photo = np.ascontiguousarray(sample_photo("chelsea")[:64, :96])
    for spec in (f"{CODEC}@{mine}", MOSAIC):
        run = progressive.stream_photo(photo, codec=spec, channel="none", deadline="2s")
        assert run.picture.shape == photo.shape


def test_a_codec_of_another_package_is_named_and_then_known(photo: Path, call: CommandLine) -> None:
    coded, picture = photo.with_suffix(".prog"), photo.with_name("picture.png")
    assert call(main, "encode", photo, coded, "--codec", MOSAIC).status == 0
    header = read_stream(coded.read_bytes()).header
    assert header.codec == FOREIGN
    refused = call(main, "decode", coded, picture)
    assert refused.status == 1
    assert all(word in refused.err for word in (header.model_id.hex(), "another package", "--codec module:Class"))
    assert call(main, "decode", coded, picture, "--codec", MOSAIC).status == 0
    assert "mosaic" in call(main, "info", coded).out, "a process that knows a codec goes on knowing it"


def test_a_codec_with_an_entry_point_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"tiles": MOSAIC, "broken": "mosaic:means", "gone": "nowhere:Codec"}
    for module in (registry, models):
        monkeypatch.setattr(module, "entry_points", lambda _group: installed)
    header = header_of("tiles", sample_photo()[:40, :40])
    assert codec_of(header).name == "mosaic"
    for name, says in (("gone", "cannot import nowhere:Codec"), ("tile", r"did you mean tiles\?")):
        with pytest.raises(UsageError, match=says):
            load_codec(name)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("mosaic:Mozaic", "mosaic has no Mozaic"),
        ("nowhere:Codec", "cannot import nowhere:Codec.*PYTHONPATH"),
        ("os:path", "os:path is no codec, it cannot be made without arguments"),
        ("pathlib:Path", "pathlib:Path is no codec, it has no traits, model_id, encode, decoder"),
        (f"{MOSAIC}@rmpgc", "takes no weights"),
    ],
)
def test_what_is_no_codec_is_told_in_a_line(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        load_codec(spec)


def test_a_receiver_says_before_it_listens_what_is_no_codec(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    listens = ("--from", "udp://127.0.0.1:0", "--timeout", "1s")
    for spec in ("os:path", "rmpgx"):
        refused = call(receiver.__main__.main, *listens, "--codec", spec)
        assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
        assert spec in refused.err
    monkeypatch.setenv(CODECS_VARIABLE, "os:path")
    refused = call(receiver.__main__.main, *listens)
    assert (refused.status, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "PROGRESSIVE_CODECS: os:path is no codec" in refused.err


def test_what_is_known_reaches_processes_that_are_started(mine: Path) -> None:
    make_known(f"{MOSAIC}", str(mine))
    assert os.environ[CODECS_VARIABLE] == MOSAIC
    assert own_weight_files() == [mine.resolve()]
    assert "mosaic" in sys.modules

import re
from pathlib import Path

import pytest
from fake_systems import FAKE
from PIL import Image

from experiments.broadcast_file import BroadcastFile
from experiments.case import Conditions, System
from experiments.command import our_laboratory
from experiments.deliveries import DELIVERIES
from experiments.experiment_file import ChannelPanel, SweepFile, read_experiment
from experiments.systems import SOURCES
from progressive.errors import UsageError

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "experiment_files.md"
SMALLEST: dict[str, str] = {
    "title": '"Loss"',
    "photos": '["skimage:astronaut"]',
    "tuning_photos": '["skimage:coffee"]',
    "systems": '["ours planned", "ours equal"]',
    "panels": '[{ title = "pattern", channels = ["ep1", "ep4"] }]',
}


def write(folder: Path, text: str = "", **changes: str) -> Path:
    path = folder / "experiment.toml"
    path.write_text("".join(f"{key} = {value}\n" for key, value in (SMALLEST | changes).items()) + text)
    return path


def test_everything_is_read_into_units(tmp_path: Path) -> None:
    experiment = read_experiment(
        write(tmp_path, bandwidths='["10kbps", "1Mbps"]', deadline='"2500ms"', assumed="[1, 0.5]", seeds="[3, 4]"), FAKE
    )
    assert experiment.systems == (System("ours", "planned"), System("ours", "equal"))
    assert experiment.bandwidths_bps == (10_000, 1_000_000)
    assert experiment.seeds == (3, 4)
    assert experiment.conditions[:3] == [
        Conditions("ep1", 10_000, 2.5, 1.0),
        Conditions("ep1", 10_000, 2.5, 0.5),
        Conditions("ep1", 1_000_000, 2.5, 1.0),
    ]
    assert len(experiment.conditions) == 8


def test_sources_and_deliveries_are_multiplied(tmp_path: Path) -> None:
    experiment = read_experiment(
        write(tmp_path, systems='{ sources = ["ours", "theirs"], deliveries = ["planned", "equal"] }'), FAKE
    )
    assert [str(s) for s in experiment.systems] == ["ours planned", "ours equal", "theirs planned", "theirs equal"]


def test_values_fill_a_channel(tmp_path: Path) -> None:
    panel = '[{ title = "lost (%)", channel = "ge:loss={}%,burst=2+delay:{}ms", values = [0, 2.5] }]'
    [panel_read] = read_experiment(write(tmp_path, panels=panel), FAKE).panels
    assert [(p.value, p.channel) for p in panel_read.points] == [
        (0, "ge:loss=0%,burst=2+delay:0ms"),
        (2.5, "ge:loss=2.5%,burst=2+delay:2.5ms"),
    ]


def test_quick_takes_the_place_of_keys(tmp_path: Path) -> None:
    path = write(tmp_path, "[quick]\ntrials = 7\n")
    assert read_experiment(path, FAKE).trials == 1000
    assert read_experiment(path, FAKE, quick=True).trials == 7
    with pytest.raises(UsageError, match=r"no table \[quick\]"):
        read_experiment(write(tmp_path), FAKE, quick=True)


def test_photos_are_found_beside_the_file_and_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, count in (("files/near", 1), ("data/far", 9)):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / folder / f"{number}.png")
    monkeypatch.setenv("PROGRESSIVE_DATA", str(tmp_path / "data"))
    experiment = read_experiment(write(tmp_path / "files", photos='["far"]', tuning_photos='["near/0.png"]'), FAKE)
    assert len(experiment.photos) == 9
    assert experiment.tuning_photos == (str(tmp_path / "files/near/0.png"),)
    limited = read_experiment(write(tmp_path / "files", photos='["far"]', photos_at_most="3"), FAKE)
    assert [Path(name).name for name in limited.photos] == ["0.png", "3.png", "6.png"]


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("systems", '["his planned"]', "unknown source 'his': use one of ours"),
        ("systems", '["ours prayed"]', "unknown delivery 'prayed': use one of planned"),
        ("systems", '["ours"]', "'ours' is not a source and a delivery"),
        ("systems", '["ours planned", "ours planned"]', "there twice"),
        ("panels", '[{ title = "x", channels = ["ep9"] }]', "panels, number 1: channel 'ep9': "),
        ("panels", '[{ title = "x", channel = "loss:{}%", values = [300] }]', "panels, number 1: channel 'loss:300%'"),
        ("panels", '[{ title = "x", channel = "loss:5%", values = [3] }]', "no place for the values"),
        ("panels", '[{ title = "x", channels = ["ep1"], values = [3] }]', "give either channels"),
        ("panels", "[]", "panels: give at least 1"),
        ("panels", '[{ channels = ["ep1"] }]', "panels, number 1, title: it is missing"),
        ("panels", '[{ title = "x", colour = 1 }]', "panels, number 1, colour: there is no such key"),
        ("panels", "[3]", "panels, number 1: write a table in { }"),
        ("photos", '["nowhere"]', "photos: no photos 'nowhere' in "),
        ("photos", '["skimage:mona-lisa"]', "unknown sample photo 'mona-lisa'"),
        ("photos", '["skimage:coffee"]', "tuning_photos: skimage:coffee is one of the photos too"),
        ("bandwidths", '["50 apples"]', "bandwidths: "),
        ("deadline", '"0s"', "deadline: use more than 0"),
        ("deadline", "2", 'deadline: write "2s", a text with its unit'),
        ("outage_below", "25.5", 'outage_below: write "25.5dB", a text with its unit'),
        ("bandwidths", "[50]", 'bandwidths, number 1: write "50kbps", a text with its unit'),
        ("bandwidths", '"50kbps"', "bandwidths: write a list in [ ]"),
        ("title", "3", "title: write a text in quotes"),
        ("systems", "[]", "systems: give at least 1"),
        ("systems", "[3]", "systems, number 1: write a text in quotes"),
        ("systems", '{ sources = ["ours"] }', "systems, deliveries: it is missing: write it too"),
        ("trials", "0", "trials: use 1 or more"),
        ("trials", "2.5", "trials: write a whole number"),
        ("objective", '"luck"', "objective: use 'area' or 'final'"),
        ("assumed", "[-1]", "assumed, number 1: use 0.0 or more"),
        ("assumed", "[nan]", "assumed, number 1: input should be a finite number"),
        ("over_time", '["ep6"]', "over_time: 'ep6' is in none of the panels: use ep1, ep4"),
        ("colour", '"red"', "unknown key 'colour': use one of title, photos, "),
        ("quick", '{ colour = "red" }', "unknown key 'colour'"),
    ],
)
def test_what_cannot_be_is_named_in_a_line(key: str, value: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, **{key: value})
    with pytest.raises(UsageError) as error:
        read_experiment(path, FAKE, quick=key == "quick")
    assert words in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_toml_or_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_experiment(tmp_path / "none.toml", FAKE)
    (tmp_path / "bad.toml").write_text("title =")
    with pytest.raises(UsageError, match=r"bad.toml is not TOML: Invalid value"):
        read_experiment(tmp_path / "bad.toml", FAKE)


def test_the_reference_has_every_key_and_name_and_its_example_is_read(tmp_path: Path) -> None:
    text = REFERENCE.read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    assert example
    (tmp_path / "least.toml").write_text(example[1])
    assert read_experiment(tmp_path / "least.toml", our_laboratory()).title == "Protection"
    keys = [key for model in (SweepFile, BroadcastFile, ChannelPanel) for key in model.model_fields]
    named = set(re.findall(r"`\[*([\w-]+)\]*`", text))
    assert {*keys, *SOURCES, *DELIVERIES} <= named

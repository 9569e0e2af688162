import re
import shutil
from pathlib import Path

import pytest
from fake_systems import FAKE

import experiments
from experiments.experiment_file import read_experiment
from experiments.page.write import write_page
from experiments.ready import FOLDER, experiment_path, names
from progressive.errors import UsageError

SWEEP = """\
title = "TITLE"
photos = ["skimage:astronaut", "skimage:coffee"]
tuning_photos = ["skimage:rocket"]
systems = ["rmpgc planned", "rmpgc equal", "jpeg planned", "jpeg equal"]
trials = 50
panels = [{ title = "pattern", channels = ["ep4", "ep5", "ep6"] }]
"""
BROADCAST = """\
kind = "broadcast"
title = "Broadcast"
photos = ["skimage:astronaut", "skimage:coffee"]
channels = ["rayleigh:snr={}dB,doppler=10Hz+modem:bpsk-1/2"]
receivers = [1, 10, 19]
rate = 0.5
simulcast = [0.2, 0.4]
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "examples"
    folder.mkdir()
    for name in ("planning_sweep", "systems", "loss_sweep", "fading_sweep", "bandwidth_sweep"):
        (folder / f"{name}.toml").write_text(SWEEP.replace("TITLE", name))
    (folder / "broadcast.toml").write_text(BROADCAST)
    return folder


def test_the_page_states_what_was_measured(files: Path, tmp_path: Path) -> None:
    output = tmp_path / "docs"
    assert "8 sections" in write_page(files, output, tmp_path / "kept", FAKE)
    text = (output / "experiments.md").read_text()
    shown = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert len(shown) >= 8
    assert all((output / name).read_bytes().startswith(b"\x89PNG") for name in shown)
    assert {path.name for path in (output / "experiments").iterdir()} == {Path(name).name for name in shown}
    assert "`make experiments`" in text
    # Planned is 1 dB above equal wherever there is a picture, which is in nine runs of ten.
    assert re.search(r"losses known: \+0\.[89]\d dB at the deadline, \+0\.[89]\d dB over time", text)
    assert "reached in the mean on EP1, EP2, EP3, EP4, EP5, EP6, for every single photo on EP1," in text
    assert "without feedback `rmpgc planned` is recognisable after 2.80 s" in text, "2 s of 9 runs, 10 s of the others"
    assert re.search(r"differs by \+1\.[78]\d \([+\d. to]+\) dB .* from the best other, `jpeg planned`", text)
    assert "no other better over time" in text
    assert "0.50 dB (0.50 to 0.50) with 44.0 % of the bytes" in text
    assert "simulcast, with all of its bytes, is -0.50 dB from the broadcast" in text
    assert "chosen photo by photo: `pet` (stripes, any packet of which serves as well as another)" in text
    assert "+0.020 dB off in the mean over 1,040 decodes" in text
    assert "python -m channel_sim sweep fading_sweep.toml" in text


def test_a_wrong_file_is_told_before_anything_runs(files: Path, tmp_path: Path) -> None:
    (files / "bandwidth_sweep.toml").write_text("title = 3")
    with pytest.raises(UsageError, match="bandwidth_sweep.toml: title: "):
        write_page(files, tmp_path / "docs", tmp_path / "kept", FAKE)
    assert not (tmp_path / "kept").exists()
    assert not (tmp_path / "docs").exists()


def test_the_ready_files_are_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.broadcast_file import is_broadcast, read_broadcast
    from experiments.command import our_laboratory

    monkeypatch.setenv("PROGRESSIVE_DATA", str(tmp_path))
    shutil.copytree(FOLDER, tmp_path / "examples")
    (tmp_path / "kodak").mkdir()
    for path in sorted((tmp_path / "examples").glob("*.toml")):
        if is_broadcast(path):
            assert len(read_broadcast(path, quick=True).snrs_db) == 8
        else:
            laboratory = our_laboratory()
            experiment = read_experiment(path, laboratory, quick=True)
            assert str(experiment.systems[0]) == "rmpgc planned"
        with pytest.raises(UsageError, match="photos: no photos 'kodak' in"):
            (read_broadcast(path) if is_broadcast(path) else read_experiment(path, our_laboratory()))


def test_ready_files_ship_with_the_package_and_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert FOLDER.is_relative_to(Path(experiments.__file__).parent)
    assert (FOLDER / "__init__.py").is_file()  # without it, no wheel would have the folder
    assert set(names()) >= {"planning_sweep.toml", "systems.toml", "broadcast.toml", "loss_sweep.toml"}
    assert experiment_path(Path("systems.toml")) == FOLDER / "systems.toml"
    assert experiment_path(Path("elsewhere/systems.toml")) == Path("elsewhere/systems.toml")
    (tmp_path / "systems.toml").touch()
    assert experiment_path(Path("systems.toml")) == Path("systems.toml")

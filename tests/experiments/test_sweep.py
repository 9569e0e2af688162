import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fake_systems import FAKE, KILLS_ALWAYS, KILLS_ONCE

from experiments.command import SweepOptions, sweep_file
from experiments.experiment_file import read_experiment
from experiments.laboratory import Laboratory
from experiments.progress import telling
from experiments.results import csv_of
from experiments.sweep import run_sweep
from experiments.workers import workers_at
from progressive.errors import RunError, UsageError

EXPERIMENT = """\
title = "Loss"
photos = ["skimage:astronaut", "skimage:coffee"]
tuning_photos = ["skimage:rocket"]
systems = ["ours planned", "ours equal", "theirs planned", "theirs equal"]
trials = 40
seeds = [0, 1]
over_time = ["ep4"]

[[panels]]
title = "packet error pattern"
channels = ["ep1", "ep4"]
"""
CASES = 2 * 4 * 2 * 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "loss.toml"
    path.write_text(EXPERIMENT)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def rows_of(
    file: Path, folder: Path, laboratory: Laboratory = FAKE, *, workers: int = 1, dask: str | None = None
) -> bytes:
    """The results without the plots."""
    experiment = read_experiment(file, laboratory)
    with workers_at(dask, workers) as those, telling() as tell:
        return csv_of(run_sweep(experiment, laboratory, those, folder, tell).rows)


def counting(calls: list[str]) -> Laboratory:
    """The fake one, which notes what it is asked to try; in this process only."""

    def run(case, cache):
        calls.append(str(case.system))
        return FAKE.run(case, cache)

    return replace(FAKE, run=run)


def test_all_is_written_and_a_second_run_finds_it(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = SweepOptions(file, tmp_path / "out")
    assert f"{CASES} cases -> " in sweep_file(options, FAKE)
    first = contents(tmp_path / "out")
    rows = list(csv.DictReader(first["cases.csv"].decode().splitlines()))
    assert len(rows) == CASES
    assert rows[0]["photo"] == "skimage:astronaut"
    assert {(row["source"], row["delivery"], row["channel"], row["seed"]) for row in rows} >= {
        ("theirs", "equal", "ep4", "1")
    }
    by_delivery = {row["delivery"]: row for row in rows}
    assert by_delivery["equal"]["redundancy"] == "0.25"
    assert by_delivery["equal"]["redundancy_sent"] == "0.1"
    record = json.loads(first["record.json"])
    assert record["tuned"][2]["system"] == "ours equal"
    assert record["tuned"][2]["redundancy"] == 0.25
    assert record["sources"] == {"ours": "ours 1 model", "theirs": "theirs 1 model"}
    assert "torch" in record["versions"]
    images = sorted(name for name in first if name.endswith(".png"))
    assert images == ["over_time_1.png", "planning_1.png", "quality_1.png"]
    assert all(first[name].startswith(b"\x89PNG") for name in images)
    summary = first["summary.md"].decode()
    assert "mid-grey" in summary
    assert "![quality 1](quality_1.png)" in summary
    capsys.readouterr()
    calls: list[str] = []
    sweep_file(options, counting(calls))
    assert not calls
    assert f"trying: {CASES} of {CASES} are there from before" in capsys.readouterr().out
    assert contents(tmp_path / "out") == first


def test_measures_of_networks_are_in_rows_and_summary_if_asked_for(file: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(rows_of(file, tmp_path / "without").decode().splitlines()))
    assert {row["lpips"] for row in rows} == {""}
    file.write_text(EXPERIMENT.replace("trials = 40", 'trials = 40\nmeasures = ["lpips", "top1"]'))
    sweep_file(SweepOptions(file, tmp_path / "with"), FAKE)
    found = contents(tmp_path / "with")
    rows = list(csv.DictReader(found["cases.csv"].decode().splitlines()))
    assert all(0 < float(row["lpips"]) < 1 and 0.5 < float(row["top1"]) <= 1 for row in rows)
    assert "| MS-SSIM | LPIPS | top-1 |" in found["summary.md"].decode()


def test_what_networks_measure_is_measured_anew_with_other_weights(file: Path, tmp_path: Path) -> None:
    file.write_text(EXPERIMENT.replace("trials = 40", 'trials = 40\nmeasures = ["lpips"]'))
    calls: list[str] = []
    for weights, done in (("one", CASES), ("one", 0), ("another", CASES)):
        calls.clear()
        rows_of(file, tmp_path, replace(counting(calls), judges=lambda _, weights=weights: weights))
        assert len(calls) == done


def test_of_one_photo_a_summary_has_no_intervals(file: Path, tmp_path: Path) -> None:
    file.write_text(EXPERIMENT.replace('"skimage:astronaut", "skimage:coffee"', '"skimage:astronaut"'))
    sweep_file(SweepOptions(file, tmp_path / "out"), FAKE)
    summary = contents(tmp_path / "out")["summary.md"].decode()
    assert "of one photo (n = 1)" in summary
    assert "95 %" not in summary
    assert re.search(r"\d \(n = 1\) \|", summary)


def test_the_number_of_workers_changes_no_bit(file: Path, tmp_path: Path) -> None:
    assert rows_of(file, tmp_path / "by_1") == rows_of(file, tmp_path / "by_2", workers=2)


def test_what_changed_is_done_again_and_nothing_else(file: Path, tmp_path: Path) -> None:
    rows_of(file, tmp_path)
    calls: list[str] = []
    retrained = {"ours": "ours 2", "theirs": FAKE.identity("theirs")}
    rows_of(file, tmp_path, replace(counting(calls), identity=retrained.__getitem__))
    assert calls.count("ours planned") == CASES // 4
    assert calls.count("theirs planned") == 0
    calls.clear()
    file.write_text(EXPERIMENT.replace("trials = 40", "trials = 41"))
    rows_of(file, tmp_path, counting(calls))
    assert len(calls) == CASES
    calls.clear()
    file.write_text(EXPERIMENT.replace('"ep1", ', '"ep1", "ep2", '))
    rows_of(file, tmp_path, counting(calls))
    assert len(calls) == CASES // 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ('"Loss"', '"Losses"'),
        ("trials = 40", "trials = 41"),
        ("[0, 1]", "[1, 2, 0]"),
        ('["ep1", "ep4"]', '["ep4", "ep2", "ep1"]'),
        ('"ours equal", ', '"ours equal", "ours none", '),
    ],
)
def test_an_experiment_goes_on_in_its_folder_with_more_of_anything(
    file: Path, tmp_path: Path, before: str, after: str
) -> None:
    options = SweepOptions(file, tmp_path / "out")
    sweep_file(options, FAKE)
    file.write_text(EXPERIMENT.replace(before, after))
    sweep_file(options, FAKE)
    sweep_file(SweepOptions(file, tmp_path / "fresh"), FAKE)
    assert contents(tmp_path / "out")["cases.csv"] == contents(tmp_path / "fresh")["cases.csv"]


@pytest.mark.parametrize(
    ("before", "after", "key"),
    [
        ('"ours equal", ', "", "systems"),
        ('"ours planned", "ours equal"', '"ours equal", "ours none"', "systems"),
        ('["ep1", "ep4"]', '["ep4"]', "panels"),
        ("[0, 1]", "[0]", "seeds"),
        ('"skimage:astronaut", ', "", "photos"),
        ("rocket", "chelsea", "tuning_photos"),
        ("over_time", 'deadline = "5s"\nover_time', "deadline_s"),
        ("over_time", 'objective = "final"\nover_time', "objective"),
    ],
)
def test_another_experiments_results_are_not_mixed_with_these(
    file: Path, tmp_path: Path, before: str, after: str, key: str
) -> None:
    options = SweepOptions(file, tmp_path / "out")
    sweep_file(options, FAKE)
    first = contents(tmp_path / "out")
    file.write_text(EXPERIMENT.replace(before, after))
    with pytest.raises(UsageError, match=f"out holds an experiment with other {key}, 'Loss': give another --output"):
        sweep_file(options, FAKE)
    assert contents(tmp_path / "out") == first


def test_an_experiment_of_another_kind_is_not_mixed_with_one_and_no_other_record_is_overwritten(
    file: Path, tmp_path: Path
) -> None:
    options = SweepOptions(file, tmp_path / "out")
    sweep_file(options, FAKE)
    other = 'kind = "broadcast"\ntitle = "Loss"\nphotos = ["skimage:astronaut", "skimage:coffee"]\nreceivers = [1, 2]\n'
    file.write_text(other + 'channels = ["rayleigh:snr={}dB,doppler=10Hz"]\nrate = 0.5\nsimulcast = [0.1]\n')
    with pytest.raises(UsageError, match="out holds an experiment with other tuning_photos, systems"):
        sweep_file(options, FAKE)
    for record in ("[]", '{"experiment": 3}', "{"):
        (tmp_path / "out" / "record.json").write_text(record)
        with pytest.raises(UsageError, match=r"record.json is not the record of an experiment: give another --output"):
            sweep_file(options, FAKE)


def test_a_damaged_result_is_made_again(file: Path, tmp_path: Path) -> None:
    before = rows_of(file, tmp_path)
    damaged = max((tmp_path / "results").rglob("*.json"), key=lambda path: path.stat().st_size)
    damaged.write_text('{"figures": {')
    calls: list[str] = []
    assert rows_of(file, tmp_path, counting(calls)) == before
    assert len(calls) == 1


KILLED_AFTER = 3

KILLED_SWEEP = f"""
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from fake_systems import FAKE
from experiments.command import SweepOptions, sweep_file

left = iter(range({KILLED_AFTER}))

def run(case, cache):
    if next(left, None) is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return FAKE.run(case, cache)

sweep_file(SweepOptions(Path(sys.argv[1]), Path(sys.argv[2])), replace(FAKE, run=run))
"""
"""Of which all is gone in the midst of a case."""


def test_a_killed_sweep_goes_on_where_it_was(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole, output = rows_of(file, tmp_path / "whole"), tmp_path / "killed"
    command = [sys.executable, "-c", KILLED_SWEEP, str(file), str(output)]
    process = subprocess.run(command, capture_output=True, env={"PYTHONPATH": ":".join(sys.path)}, check=False)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert not (output / "cases.csv").exists()
    capsys.readouterr()
    calls: list[str] = []
    assert rows_of(file, output, counting(calls)) == whole
    assert f"trying: {KILLED_AFTER} of {CASES} are there from before" in capsys.readouterr().out
    assert len(calls) == CASES - KILLED_AFTER


def test_a_worker_that_dies_is_replaced(file: Path, tmp_path: Path) -> None:
    file.write_text(EXPERIMENT.replace("ours planned", f"{KILLS_ONCE} planned"))
    assert rows_of(file, tmp_path, workers=2).count(b"\n") == 1 + CASES


def test_workers_that_die_again_and_again_end_the_run(file: Path, tmp_path: Path) -> None:
    file.write_text(EXPERIMENT.replace("ours planned", f"{KILLS_ALWAYS} planned"))
    with pytest.raises(RunError, match=r"workers died 3 times, \d+ calls are left: use fewer workers"):
        rows_of(file, tmp_path, workers=2)


def test_nothing_is_done_where_nothing_can_be_written(file: Path) -> None:
    with pytest.raises(UsageError, match="cannot write"):
        sweep_file(SweepOptions(file, Path("/dev/null/out")), FAKE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Address of the scheduler of a cluster with two workers in processes of their own."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50) as made:
        yield made.scheduler_address


def test_a_dask_cluster_gives_the_same_bits(file: Path, tmp_path: Path, cluster: str) -> None:
    assert rows_of(file, tmp_path / "here") == rows_of(file, tmp_path / "there", dask=cluster)


def test_a_dask_worker_that_dies_is_replaced(file: Path, tmp_path: Path, cluster: str) -> None:
    file.write_text(EXPERIMENT.replace("ours planned", f"{KILLS_ONCE} planned"))
    assert rows_of(file, tmp_path, dask=cluster).count(b"\n") == 1 + CASES


def test_a_scheduler_that_is_not_there_is_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("experiments.workers.CONNECT_S", 0.5)
    start = time.monotonic()
    with pytest.raises(UsageError, match="no Dask scheduler at tcp://127.0.0.1:9"):
        sweep_file(SweepOptions(file, tmp_path / "out", dask="tcp://127.0.0.1:9"), FAKE)
    assert time.monotonic() - start < 10
    assert not (tmp_path / "out").exists()


def test_a_cluster_without_workers_is_refused(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("experiments.workers.CONNECT_S", 1.0)
    with distributed.LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as empty:
        address = empty.scheduler_address
        with pytest.raises(UsageError, match=f"Dask cluster at {address} has no workers"):
            sweep_file(SweepOptions(file, tmp_path / "out", dask=address), FAKE)

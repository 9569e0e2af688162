from datetime import UTC, datetime
from pathlib import Path

from progressive.output.folder import OutputFolder
from progressive.output.run_folder import folder_of_run

NOW = datetime(2030, 1, 31, 18, 0, 0, tzinfo=UTC)


def test_every_run_has_a_folder_of_its_own_where_the_time_is_asked_for(tmp_path: Path) -> None:
    made = [OutputFolder(folder_of_run(tmp_path / "received" / "{time}", NOW)).path for _ in range(3)]
    assert [path.relative_to(tmp_path / "received").name for path in made] == [
        "20300131T180000Z",
        "20300131T180000Z_2",
        "20300131T180000Z_3",
    ]


def test_without_the_time_it_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert folder_of_run(tmp_path / "out") == tmp_path / "out"

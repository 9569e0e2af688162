import sys

import pytest

from progressive.errors import RunError
from progressive.shell.display import Display
from receiver.viewer.viewer import Viewer, viewed


@pytest.mark.parametrize("person", [False, True])
def test_a_failed_run_is_told_once_and_while_the_page_stays(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], person: bool
) -> None:
    pytest.importorskip("aiohttp")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: person)
    told_before_staying = []
    monkeypatch.setattr(Viewer, "stay", lambda *_: told_before_staying.append(capsys.readouterr().err))
    with pytest.raises(RunError) as failure, viewed(Display(), "127.0.0.1:0", "receiver"):
        raise RunError("no sender came")
    assert told_before_staying == (["error: no sender came\n"] if person else [""])
    assert failure.value.told == person
    assert "no sender" not in capsys.readouterr().out

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import CommandLine

from channel_sim.__main__ import main
from channel_sim.validation import page
from channel_sim.validation.check import Check


def topic(**changes: Any) -> SimpleNamespace:
    values = {
        "TITLE": "Dice",
        "NOTE": "A die is thrown.",
        "checks": lambda: [Check("mean of a die", 3.51, 3.5, 0.02, 60_000)],
        "draw": lambda figure: figure.subplots().plot([1, 2]),
    }
    return SimpleNamespace(**values | changes)


def use(monkeypatch: pytest.MonkeyPatch, subject: SimpleNamespace) -> None:
    monkeypatch.setattr(page, "TOPICS", ("dice",))
    monkeypatch.setitem(sys.modules, "channel_sim.validation.dice", subject)


def test_the_page_holds_every_comparison_and_a_small_figure(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, topic())
    outcome = call(main, "validate", "-o", tmp_path / "docs")
    assert outcome.status == 0, outcome.err
    assert "1 comparisons, all hold" in outcome.out
    text = (tmp_path / "docs" / "validation.md").read_text()
    assert "## Dice\n\nA die is thrown.\n\n![Dice](dice.png)" in text
    assert "| mean of a die | 3.51 | 3.5 | 0.02 | 60,000 | yes |" in text
    assert 1000 < (tmp_path / "docs" / "dice.png").stat().st_size < 80_000


def test_what_does_not_hold_is_told_and_the_page_shows_it(
    call: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, topic(checks=lambda: [Check("mean of a die", 3.6, 3.5, 0.02, 60_000)]))
    outcome = call(main, "validate", "-o", tmp_path)
    assert outcome.status == 1
    assert "1 of 1 comparisons do not hold: mean of a die" in outcome.err
    assert "**no**" in (tmp_path / "validation.md").read_text()


def test_a_folder_that_cannot_be_written_is_refused_first(call: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, topic(checks=lambda: pytest.fail("worked before looking")))
    outcome = call(main, "validate", "-o", "/dev/null/docs")
    assert outcome.status == 2
    assert "cannot write" in outcome.err

"""What the documentation promises: a short README, links that lead somewhere, command lines that the programs take."""

import importlib.util
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from channel_sim.spec import parse_channel
from progressive import __version__
from progressive.units import format_time
from progressive.wire.inner_parity import MAX_INNER_PARITY
from progressive.wire.packet import MAX_DATAGRAM
from sender.__main__ import LONGEST_EVERY_S, app
from sender.settings import LEAST_QUEUE_DELAY_S, MOST_QUEUE_DELAY_S

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = ("sender", "receiver", "progressive", "channel_sim")
SCRIPTS = {f"progressive-{program.replace('_', '-')}": program for program in PROGRAMS} | {"progressive": "progressive"}
STANDARD = {"-h", "--help", "--version"}
CALL = re.compile(rf"(?:^|[|;&] *|\w=\S+ )((?:python -m|torchrun [^#]*-m|{'|'.join(SCRIPTS)}) .*)")
"""A call begins a line, follows what is piped into it, or variables of the environment."""

OPTION = re.compile(r"(?<![\w-])(--[a-z][\w-]*|-[a-z](?![\w-]))")


def calls(text: str) -> Iterator[str]:
    """Every `python -m ..`, or call of a console script, in blocks of code and between backticks."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    spans = [" ".join(span.split()) for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose)]
    for line in (*lines, *spans):
        if call := CALL.search(line):
            yield call[1].partition(" #")[0].strip()


def module_and_words(call: str) -> tuple[str, list[str]]:
    words = shlex.split(call.replace("[", " ").replace("]", " "))
    if words[0] in SCRIPTS:
        return SCRIPTS[words[0]], words[1:]
    words = words[words.index("-m") + 1 :]
    return words[0], words[1:]


@cache
def command_of(program: str) -> Any:
    return typer.main.get_command(import_module(f"{program}.__main__").app)


def options_of(program: str, words: list[str]) -> set[str]:
    command = command_of(program)
    if hasattr(command, "commands"):
        if words and words[0].startswith("-"):
            return STANDARD
        assert not words or words[0] in command.commands, f"{program} has no command {words[0]}"
        command = command.commands[words[0]] if words else command
    return STANDARD.union(*((*p.opts, *p.secondary_opts) for p in command.params if p.param_type_name == "option"))


def names_a_parameter(option: str, text: str) -> bool:
    """Whether typer makes the option of a parameter's name, without being told how it is written."""
    return re.search(rf"^    {option.removeprefix('--').replace('-', '_')}: Annotated", text, re.MULTILINE) is not None


CALLS = sorted({(page.relative_to(ROOT).as_posix(), call) for page in PAGES for call in calls(page.read_text())})


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 8000


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    top = dict(re.findall(r"^([a-z-]+):(.*)$", citation, re.MULTILINE))
    assert {"cff-version", "message", "title", "authors"} <= set(top)
    assert top["version"].strip() == __version__
    dois = re.findall(r"doi: (\S+)", citation)
    papers = (ROOT / "docs/explanation/papers.md").read_text()
    assert dois
    assert all(doi in papers for doi in dois)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_relative_link_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text())
    missing = [link for link in links if "://" not in link and not (ROOT / link.partition("#")[0]).exists()]
    assert not missing
    assert links or page != "README.md"


def test_there_are_command_lines_to_check() -> None:
    assert {module_and_words(call)[0] for _, call in CALLS} >= set(PROGRAMS)
    assert len(CALLS) > 80


@pytest.mark.parametrize(("page", "call"), CALLS)
def test_every_command_line_is_one_that_a_program_takes(page: str, call: str) -> None:
    module, words = module_and_words(call)
    given = {found for word in words for found in OPTION.findall(word.partition("=")[0])}
    if module in PROGRAMS:
        assert given <= options_of(module, words), f"{page}: {call}"
        return
    found = importlib.util.find_spec(module)
    assert found is not None, f"{page}: there is no {module}"
    if module.partition(".")[0] in {"benchmarks", "examples"}:
        assert found.origin is not None
        origin = Path(found.origin)
        sources = origin.parent.glob("*.py") if origin.name == "__init__.py" else [origin]
        text = "".join(path.read_text() for path in sources)
        if "_data.add_arguments(" in text:
            text += (ROOT / "benchmarks" / "_data.py").read_text()
        missing = [option for option in given if f'"{option}"' not in text and not names_a_parameter(option, text)]
        assert missing == [], f"{page}: {call}"


READERS_OWN = re.compile(r"LINK|\.toml")
"""In channels that name a file of the reader's."""

CHANNELS = sorted(
    {
        spec
        for _, call in CALLS
        for spec in re.findall(r"(?:--channel|channel_sim show) ('[^']+'|[a-z]\S+)", call)
        if not READERS_OWN.search(spec)
    }
)


@pytest.mark.parametrize("written", CHANNELS)
def test_every_channel_is_one_that_can_be_simulated(written: str) -> None:
    parse_channel(written.strip("'"))


def test_the_glossary_has_the_words_of_the_page_s_legend() -> None:
    page = (ROOT / "progressive" / "browser" / "view" / "detail.js").read_text()
    glossary = (ROOT / "docs" / "reference" / "glossary.md").read_text()
    words = re.findall(r'<li data-fate="\w+">(\w+)</li>', page)
    assert len(words) >= 6
    assert [word for word in words if not re.search(rf"\b{word}\b", glossary)] == []


def test_every_variable_that_the_programs_read_is_listed() -> None:
    code = "".join(path.read_text() for name in (*PROGRAMS, "experiments") for path in (ROOT / name).rglob("*.py"))
    read = set(re.findall(r"\bPROGRESSIVE_[A-Z_]+[A-Z]\b", code))
    read |= set(re.findall(r"environ(?:\.get\(|\[)['\"](\w+)['\"]", code))
    listed = (ROOT / "docs" / "reference" / "conventions.md").read_text()
    examples = {"PROGRESSIVE_PROGRAM_OPTION"}
    assert {name for name in read - examples if f"`{name}" not in listed} == set()


@pytest.mark.parametrize(
    ("option", "bounds"),
    [
        ("--queue-delay", (format_time(LEAST_QUEUE_DELAY_S), format_time(MOST_QUEUE_DELAY_S))),
        ("--packet-size", (f"{MAX_DATAGRAM}B",)),
        ("--inner-parity", (str(MAX_INNER_PARITY),)),
        ("--every", (f"{LONGEST_EVERY_S}s",)),
        ("--redundancy", ("0%", "25500%")),
        ("--serve", ("0%", "100%")),
        ("--duty-cycle", ("0%", "100%")),
    ],
)
def test_the_bounds_of_a_number_are_in_the_help(option: str, bounds: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    (found,) = (parameter for parameter in command.params if option in parameter.opts)
    assert all(bound.replace(" ", "") in found.help for bound in bounds)

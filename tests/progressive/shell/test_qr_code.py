import re

import segno

from progressive.shell.qr_code import qr_code

LINK = "http://192.168.1.20:8080/#token=s3cret-of-sixteen-letters"


def test_a_code_holds_every_module_of_the_link_two_rows_a_line() -> None:
    modules = list(segno.make(LINK, error="l", micro=False).matrix_iter(border=2))
    halves = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
    rows = [row for line in qr_code(LINK).split("\n") for row in zip(*(halves[mark] for mark in line), strict=True)]
    assert [list(row) for row in modules] == [list(row) for row in rows[: len(modules)]]
    assert not any(map(any, rows[len(modules) :]))


def test_a_code_has_light_margins_and_its_three_corners() -> None:
    lines = qr_code("http://10.0.0.1:80/").split("\n")
    assert {len(line) for line in lines} == {len(lines[0])}
    assert re.fullmatch(r"  █▀▀▀▀▀█ .* █▀▀▀▀▀█  ", lines[1])
    assert not lines[0].strip()

import pytest

from progressive.suggestions import nearest, use_one_of

CODECS = ("hierarchical_vae", "recurrent", "rmpgc", "rmpgc_lsgan")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("rmgpc", "rmpgc"),
        ("RMPGC", "rmpgc"),
        ("hier", "hierarchical_vae"),
        ("recurent ", "recurrent"),
        ("rm", None),
        ("gif", None),
        ("", None),
    ],
)
def test_a_slip_of_the_pen_or_a_beginning_that_only_one_name_has_is_understood(written: str, meant: str | None) -> None:
    assert nearest(written, CODECS) == meant


def test_every_known_name_is_told_and_before_them_the_one_that_was_meant() -> None:
    assert use_one_of("rmgpc", CODECS[2:]) == "did you mean rmpgc? Use one of rmpgc, rmpgc_lsgan"
    assert use_one_of("gif", CODECS[2:]) == "use one of rmpgc, rmpgc_lsgan"

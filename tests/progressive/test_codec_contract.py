"""Every registered codec, and a codec of another package, keep the contract."""

import sys
from pathlib import Path

import pytest

from progressive.codec import ProgressiveCodec
from progressive.registry import CODECS, load_codec
from progressive.testing.codec_contract import *  # noqa: F403

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_codec"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`--codec NAME` or `--codec module:Class` takes the place of all codecs."""
    if "codec" in metafunc.fixturenames:
        asked = metafunc.config.getoption("--codec", default=None)
        metafunc.parametrize("codec", asked or [*sorted(CODECS), "mosaic:Mosaic"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def codec(request: pytest.FixtureRequest) -> ProgressiveCodec:
    if str(EXAMPLE) not in sys.path:
        sys.path.append(str(EXAMPLE))
    return load_codec(request.param)

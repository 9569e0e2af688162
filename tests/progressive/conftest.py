from __future__ import annotations

import pytest

from progressive.exact.layers import KERNELS, int8_is_fast


@pytest.fixture(params=KERNELS, scope="session")
def kernel(request: pytest.FixtureRequest) -> str:
    """Every kernel that this machine has."""
    if request.param == "int8" and not int8_is_fast():
        pytest.skip("this machine does not multiply bytes")
    return str(request.param)

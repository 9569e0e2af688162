"""Tests that other packages can run over what they add; they need pytest and hypothesis."""

import pytest

pytest.register_assert_rewrite("progressive.testing.codec_contract")

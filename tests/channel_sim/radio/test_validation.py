import importlib
import importlib.util

import pytest


@pytest.mark.parametrize("topic", ["envelopes", "dynamics", "large_scale", "selective", "peer"])
def test_what_is_simulated_agrees_with_theory(topic: str) -> None:
    checks = importlib.import_module(f"channel_sim.validation.{topic}").checks()
    if topic == "peer" and importlib.util.find_spec("sionna") is None:
        pytest.skip("Sionna is not installed")
    assert checks
    assert [check for check in checks if not check.holds] == []

import numpy as np
import pytest

from channel_sim.validation import link
from channel_sim.validation.check import Check


@pytest.mark.parametrize("check", link.checks(), ids=lambda check: check.what)
def test_the_link_holds_what_schedules_and_theory_say(check: Check) -> None:
    assert check.holds, f"{check.measured} is not within {check.tolerance} of {check.expected}"


def test_the_real_links_lost_some_packets_and_kept_most() -> None:
    for sample in (link.in_one_process(), link.proxied()):
        lost = np.isnan(sample.measured_s).mean()
        assert 0.02 < lost < 0.4

import numpy as np

from channel_sim.validation import link


def test_the_link_holds_what_schedules_theory_and_the_virtual_clock_say() -> None:
    checks = link.checks()
    assert len(checks) > 10
    assert [check for check in checks if not check.holds] == []


def test_the_real_links_lost_some_packets_and_kept_most() -> None:
    for sample in (link.in_one_process(), link.proxied()):
        lost = np.isnan(sample.measured_s).mean()
        assert 0.02 < lost < 0.4

import numpy as np
import pytest

from channel_sim.modem.modulation import MODULATIONS, Modulation
from channel_sim.validation.bit_errors import GrayModem, checks


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_the_modem_is_gray_mapped_and_of_unit_energy(modulation: Modulation) -> None:
    modem = GrayModem(modulation)
    words = (np.arange(2**modulation.bits)[:, None] >> np.arange(modulation.bits) & 1).astype(np.uint8)
    symbols = modem.modulate(words)
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1)
    assert np.array_equal(modem.demodulate(symbols), words)
    distances = np.abs(symbols[:, None] - symbols)
    neighbours = np.isclose(distances, distances[distances > 1e-9].min())
    differing_bits = (words[:, None] != words).sum(axis=2)
    assert np.all(differing_bits[neighbours] == 1)


def test_simulated_bit_errors_are_those_of_the_closed_forms() -> None:
    rows = checks()
    assert [row for row in rows if not row.holds] == []
    assert len(rows) > 100
    assert all(row.expected * row.samples >= 100 for row in rows)

from channel_sim.validation.bursts import PACKETS, checks


def test_presets_lose_as_many_packets_in_bursts_as_long_as_they_promise() -> None:
    rows = checks()
    assert [row for row in rows if not row.holds] == []
    shares = {row.what: row.samples for row in rows if "share" in row.what}
    assert all(shares[f"ep{number}: share of packets lost"] == PACKETS for number in range(1, 7))

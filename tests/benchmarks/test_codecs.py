from __future__ import annotations

from benchmarks.codecs import Row, in_markdown, row_of
from progressive.photos import downscale, sample_photo


def test_a_codec_is_measured_at_each_rate_and_timed() -> None:
    photo = downscale(sample_photo("chelsea"), max_pixels=60_000)
    row = row_of("dual_autoencoder", [photo], [0.001, 0.3, 0.6], repeat=1)
    assert row.quality[0] is None
    low, high = row.quality[1:]
    assert low is not None
    assert high is not None
    assert low[0] < high[0]
    assert low[1] < high[1] < 1
    assert 20 < row.base_bytes < 0.6 * 60_000 / 8
    assert min(row.encode_ms, row.decode_ms) > 0


def test_the_table_has_the_default_first_and_a_dash_for_what_is_not_reached() -> None:
    rows = [Row("a", (None, (30.0, 0.9)), 500, 10.2, 5.6), Row("rmpgc", ((29.0, 0.91), (31.0, 0.95)), 900, 20, 8)]
    assert in_markdown(rows, [0.1, 0.5]).splitlines() == [
        "| codec | 0.1 bpp | 0.5 bpp | base, bytes | encode, ms | decode, ms |",
        "|-|-|-|-|-|-|",
        "| `rmpgc` | 29.00 0.9100 | 31.00 0.9500 | 900 | 20 | 8 |",
        "| `a` | - | 30.00 0.9000 | 500 | 10 | 6 |",
    ]

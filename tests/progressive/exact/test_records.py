from __future__ import annotations

import numpy as np
import pytest

from progressive.exact.coders import CostMeter, RangeSymbolDecoder, RangeSymbolEncoder
from progressive.exact.records import Recorder, encoded
from progressive.exact.tables import TOTAL, FrequencyTable

TABLES = {
    "even": FrequencyTable(np.array([[TOTAL // 2, TOTAL // 2], [TOTAL // 4, 3 * TOTAL // 4]])),
    "three": FrequencyTable(np.array([[TOTAL // 2, TOTAL // 4, TOTAL // 4]])),
}
BLOCKS = 5


@pytest.fixture
def recorder() -> Recorder:
    """Three passes; block 3 has no symbols in any, block 4 none in the second."""
    random, made = np.random.default_rng(0), Recorder()
    for table, sizes in (("even", (7, 3, 9, 0, 2)), ("three", (1, 8, 4, 0, 0)), ("even", (2, 2, 2, 0, 30))):
        owners = np.repeat(np.arange(BLOCKS), sizes)
        rows, symbols = TABLES[table].frequencies.shape
        made.code(
            table,
            random.integers(0, rows, len(owners)),
            random.integers(0, symbols, len(owners)).astype(np.int32),
            owners,
        )
    return made


def written_by(encoder: RangeSymbolEncoder, recorder: Recorder) -> None:
    for table, rows, symbols, owners in recorder.passes:
        encoder.code(table, rows.astype(np.intp), symbols.astype(np.int32), owners)


def test_all_blocks_are_everything(recorder: Recorder) -> None:
    encoder = RangeSymbolEncoder(TABLES)
    written_by(encoder, recorder)
    assert recorder.encoded_blocks(TABLES, list(range(BLOCKS))) == encoder.to_bytes() == encoded([recorder], TABLES)


def test_records_are_coded_one_after_the_other(recorder: Recorder) -> None:
    other, encoder = Recorder(recorder.passes[1:2]), RangeSymbolEncoder(TABLES)
    for record in (recorder, other):
        written_by(encoder, record)
    assert encoded([recorder, other], TABLES) == encoder.to_bytes() != encoded([other, recorder], TABLES)
    assert encoded([], TABLES) == b""


@pytest.mark.parametrize("chosen", [[0], [1, 4], [0, 2, 3], [4], [4, BLOCKS], []])
def test_chosen_blocks_decode_by_themselves(recorder: Recorder, chosen: list[int]) -> None:
    decoder = RangeSymbolDecoder(TABLES, recorder.encoded_blocks(TABLES, chosen))
    for table, rows, symbols, owners in recorder.passes:
        inside = np.isin(owners, chosen)
        found = decoder.code(table, rows[inside].astype(np.intp), np.zeros(0, np.int32), owners[inside])
        assert found.tolist() == symbols[inside].tolist()
    decoder.finish()


def test_what_is_recorded_later_is_coded_as_well(recorder: Recorder) -> None:
    shorter = Recorder(recorder.passes[:2])
    assert shorter.encoded_blocks(TABLES, [1]) != recorder.encoded_blocks(TABLES, [1])
    table, rows, symbols, owners = recorder.passes[2]
    shorter.code(table, rows, symbols.astype(np.int32), owners)
    assert shorter.encoded_blocks(TABLES, [1]) == recorder.encoded_blocks(TABLES, [1])


def test_a_block_without_symbols_takes_no_bytes(recorder: Recorder) -> None:
    assert recorder.encoded_blocks(TABLES, [3]) == b""
    assert recorder.encoded_blocks(TABLES, [3, 4]) == recorder.encoded_blocks(TABLES, [4]) != b""


def test_bits_are_those_of_the_tables_and_close_to_the_bytes(recorder: Recorder) -> None:
    meter = CostMeter(TABLES, BLOCKS)
    for table, rows, symbols, owners in recorder.passes:
        meter.code(table, rows.astype(np.intp), symbols.astype(np.int32), owners)
    bits = recorder.bits(TABLES, BLOCKS)
    np.testing.assert_allclose(bits, meter.bits)
    assert bits[3] == 0
    assert abs(8 * len(encoded([recorder], TABLES)) - bits.sum()) <= 16

"""When the rows of a partition were recorded: the block beside a model with one number a row."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storecore_file.bars.recorded import NOW, Recorded, Run

DAY = 86_400_000_000
AT = 1_764_104_110_123_456
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "cut", "join", "keep"]), st.integers(0, 5), st.integers(1, 2**40)
    ),
    max_size=8,
)


def column(recorded):
    return recorded.column().to_pylist()


def read_back(recorded, generation):
    return Recorded(recorded.rows, recorded.block(generation), generation)


@given(steps=STEPS)
@settings(max_examples=60, deadline=None)
def test_each_row_keeps_its_instant_whatever_is_written(steps):
    generation, rows, model = AT, Recorded(0), []
    for what, number, later in steps:
        if what == "append":
            rows, model = rows.then(Recorded(number)), [*model, *[NOW] * number]
        elif what == "cut":
            rows, model = rows.part(number, len(model)), model[number:]
        elif what == "join":
            other = Recorded.of([Run(number, generation - later), Run(1, 0)])
            rows, model = rows.then(other), [*model, *column(other)]
        assert column(rows) == model
        generation += later
        model = [generation if at == NOW else at for at in model]
        rows = read_back(rows, generation)
        assert (column(rows), rows.rows) == (model, len(model))
        assert rows.newest() >= max(model, default=NOW)


def test_rows_of_the_write_itself_need_no_block():
    assert Recorded(5_000).block(AT) == b""
    assert Recorded(0).block(AT) == b""


def test_a_bar_that_is_appended_alone_each_day_costs_six_bytes():
    rows, at = Recorded(1, b"", AT), AT
    for number in range(1, 30):
        rows, at = rows.then(Recorded(1)), at + DAY
        assert len(rows.block(at)) == 6 * number
        rows = read_back(rows, at)


def test_an_append_keeps_the_bytes_of_the_block():
    block = Recorded.of([Run(3, AT - 9), Run(2, NOW)]).block(AT)
    appended = Recorded(5, block, AT).then(Recorded(1))
    assert appended.block(AT + 5)[: len(block)] == block


def test_a_column_of_instants_is_read_as_runs():
    found = Recorded.from_column(pa.chunked_array([[7, 7], [7, 9]], pa.int64()))
    assert found.runs() == [Run(3, 7), Run(1, 9)]
    assert Recorded.from_column(pa.chunked_array([], pa.int64())).rows == 0


def test_a_block_of_more_rows_than_there_are_is_refused():
    block = Recorded.of([Run(3, AT - 9)]).block(AT)
    with pytest.raises(ValueError, match="more bars"):
        Recorded(2, block, AT).runs()


def test_the_instant_of_the_write_takes_the_place_of_now():
    assert column(Recorded.of([Run(1, 5), Run(2, NOW)]).at(9)) == [5, 9, 9]

"""Writes of bars: a few are upserted, many new ones are copied."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import psycopg
import pyarrow as pa
import pytest

from storecore_postgres.bar_rows import _COPY_FROM
from storecore_postgres.bar_writes import Writes
from storecore_postgres.database import Pool

ALL = date.min, date.max
NOON = datetime(2026, 1, 5, 12)


@pytest.fixture
def copied(monkeypatch):
    """Note each time that bars are copied; call `copied.first` before the next."""
    real = Writes._copy_rows

    class Copied(list):
        first = staticmethod(lambda: None)

    copies = Copied()

    def copy(self, connection, timeframe, rows):
        copies.append(len(rows.table))
        copies.first()
        real(self, connection, timeframe, rows)

    monkeypatch.setattr(Writes, "_copy_rows", copy)
    return copies


@pytest.fixture
def minutes(bar):
    """Make a number of bars, a minute apart."""

    def make(count, close=100.0, first=0, **fields):
        times = (NOON + timedelta(minutes=n) for n in range(first, first + count))
        return [bar(date=at, close=close, **fields) for at in times]

    return make


def test_many_new_bars_are_copied(store, copied, minutes):
    store.write_bars("AAPL", minutes(_COPY_FROM))
    assert copied == [_COPY_FROM]
    assert store.read_bars("AAPL", *ALL) == minutes(_COPY_FROM)


@pytest.mark.parametrize(
    ("count", "fields"),
    [(_COPY_FROM - 1, {}), (_COPY_FROM, {"volume": 2**53 + 1})],
    ids=["few", "exact"],
)
def test_a_few_and_those_with_volumes_that_no_float_equals_are_not(
    store, copied, minutes, count, fields
):
    store.write_bars("AAPL", minutes(count, **fields))
    assert copied == []
    assert store.read_bars("AAPL", *ALL) == minutes(count, **fields)


def test_one_bar_each_of_many_series_is_not_copied(store, copied):
    names = [f"S{number}" for number in range(_COPY_FROM)]
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * _COPY_FROM)
    store.write_bar_table(pa.table({"symbol": names, "date": [NOON] * _COPY_FROM, **prices}))
    assert copied == []
    assert len(store.read_bar_table(names, *ALL)) == _COPY_FROM


def test_many_bars_of_which_one_is_there_replace_it(store, copied, minutes):
    store.write_bars("AAPL", minutes(1, close=1.0, first=_COPY_FROM - 1))
    store.write_bars("AAPL", minutes(_COPY_FROM))
    assert copied == []
    assert store.read_bars("AAPL", *ALL) == minutes(_COPY_FROM)


def test_another_writer_that_was_quicker_is_written_over(store, opened, copied, minutes):
    with opened() as other:
        copied.first = lambda: other.write_bars("AAPL", minutes(1, close=1.0, first=7))
        store.write_bars("AAPL", minutes(_COPY_FROM))
    assert copied == [_COPY_FROM]
    assert store.read_bars("AAPL", *ALL) == minutes(_COPY_FROM)


def test_what_is_more_than_a_batch_is_all_or_nothing(store, admin, schema, minutes):
    few = minutes(25_000)
    store.write_bars("AAPL", few[:1])  # so that nothing is copied
    admin.execute(
        f"ALTER TABLE {schema}.bars ADD CONSTRAINT early CHECK (date < '{few[-1].date}+00')"
    )
    with pytest.raises(OSError, match=r"writing bars of 'AAPL': .*violates check constraint"):
        store.write_bars("AAPL", few)
    assert store.read_bars("AAPL", *ALL) == few[:1]
    admin.execute(f"ALTER TABLE {schema}.bars DROP CONSTRAINT early")
    store.write_bars("AAPL", few)
    assert store.read_bars("AAPL", *ALL) == few


def test_an_empty_table_writes_nothing(store):
    names = ("open", "high", "low", "close", "volume")
    empty = {name: pa.array([], pa.float64()) for name in names}
    dates, symbols = pa.array([], pa.timestamp("us", "UTC")), pa.array([], pa.string())
    store.write_bar_table(pa.table({"symbol": symbols, "date": dates, **empty}))
    store.write_bars("AAPL", [])
    assert store.symbols() == []


def test_an_error_names_the_first_series_and_how_many_more(store, admin, schema):
    admin.execute(f"DROP TABLE {schema}.bars")
    rows = {"symbol": ["A", "B", "C"], "date": [NOON] * 3}
    prices = dict.fromkeys(("open", "high", "low", "close", "volume"), [1.0] * 3)
    with pytest.raises(OSError, match="writing bars of 'A' and 2 others: "):
        store.write_bar_table(pa.table({**rows, **prices}))


@pytest.fixture
def sent(monkeypatch):
    """Note each statement that writes bars."""
    real, statements = psycopg.Connection.execute, []

    def execute(self, query, *args, **options):
        if "INSERT INTO" in query and ".bars" in query:
            statements.append(query)
        return real(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    return statements


def test_after_a_correction_the_next_ones_of_the_series_take_one_statement(opened, minutes, sent):
    with opened() as other:
        other.write_bars("AAPL", minutes(100))
    with opened() as store:
        sent.clear()
        for number in range(5):
            store.write_bars("AAPL", minutes(1, close=50.0, first=number))
        assert len(sent) == 2 + 4
        store.write_bars("AAPL", minutes(1, first=100))
        assert len(sent) == 2 + 4 + 1
        assert [each.bar.close for each in store.bar_versions("AAPL")[:4]] == [100.0, 50.0] * 2
        assert store.read_bars("AAPL")[5:] == minutes(96, first=5)


@pytest.mark.parametrize("count", [1, 3])
def test_the_server_does_not_plan_each_correction_anew(opened, place, minutes, count):
    with opened(pool=Pool(max_size=1)) as store:
        store.write_bars("AAPL", minutes(4_000))
        with psycopg.connect(place["dsn"], autocommit=True) as connection:
            connection.execute(f"ANALYZE {place['schema']}.bars")
        for number in range(20):
            store.write_bars("AAPL", minutes(count, close=1.0 + number))
        planned = "SELECT max(custom_plans) FROM pg_prepared_statements"
        assert store._database.rows("looking", planned, []) == [(5,)]


def test_the_server_does_not_plan_each_filing_anew(opened, place, fundamental):
    with opened(pool=Pool(max_size=1)) as store:
        store.write_fundamentals([fundamental(symbol=f"S{number}") for number in range(1_000)])
        with psycopg.connect(place["dsn"], autocommit=True) as connection:
            connection.execute(f"ANALYZE {place['schema']}.fundamentals")
        for number in range(20):
            store.write_fundamental("S1", fundamental(symbol="S1", company_name=f"No. {number}"))
        planned = "SELECT max(custom_plans) FROM pg_prepared_statements"
        assert store._database.rows("looking", planned, []) == [(5,)]
